#![allow(warnings)]
use candle_core::quantized::*; use candle_core::*; use std::time::Instant;
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap()+f[12].parse::<f64>().unwrap())/100.0 }
fn main() {
    let d = Device::Cpu;
    for (o,i,t) in [(2048usize,640usize,GgmlDType::Q8_0),(640,2048,GgmlDType::Q4K),(640,2048,GgmlDType::Q6K)] {
        let w = Tensor::randn(0f32,1f32,(o,i),&d).unwrap();
        let q = QTensor::quantize(&w,t).unwrap();
        let c=cpu(); for _ in 0..50 { q.dequantize(&d).unwrap(); } println!("{t:?} dequant {:.2} ms", (cpu()-c)*1000.0/50.0);
        for m in [1usize,16,64,256,512] {
            let x = Tensor::randn(0f32,1f32,(m,i),&d).unwrap();
            let n = 2000/m.max(8);
            let c=cpu(); for _ in 0..n { x.matmul(&w.t().unwrap()).unwrap(); } let g=(cpu()-c)*1000.0/n as f64;
            let wt = w.t().unwrap().contiguous().unwrap();
            let c=cpu(); for _ in 0..n { x.matmul(&wt).unwrap(); } let g2=(cpu()-c)*1000.0/n as f64;
            let c=cpu(); for _ in 0..n { x.apply_op1_no_bwd(&q).unwrap(); } let k=(cpu()-c)*1000.0/n as f64;
            println!("  m {m}: gemm {g:.2} ms ({:.1} GF)  gemm-contig {g2:.2}  quant {k:.2} ms", 2e-6*(m*o*i) as f64/g);
        }
    }
    let h = QTensor::quantize(&Tensor::randn(0f32,1f32,(262144/8,640),&d).unwrap(), GgmlDType::Q8_0).unwrap();
    let x = Tensor::randn(0f32,1f32,(1,640),&d).unwrap();
    let c=cpu(); for _ in 0..50 { x.apply_op1_no_bwd(&h).unwrap(); } println!("head {:.2} ms", 8.0*(cpu()-c)*1000.0/50.0);
}
