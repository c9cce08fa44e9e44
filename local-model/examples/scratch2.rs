#![allow(warnings)]
use skinflint_local_model::*;
use std::num::NonZeroUsize;
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap()+f[12].parse::<f64>().unwrap())/100.0 }
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let e = Engine::load(std::path::Path::new(&args[1]), EngineOptions { threads: NonZeroUsize::new(1).unwrap(), max_queue: 4, context_limit: None, name: "g".into() }).unwrap();
    println!("load cpu {}", cpu());
    let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let long = std::fs::read_to_string(&args[2]).unwrap();
    for (chars, max) in [(60usize,1u32),(2200,1), (60, 100)] {
        let text: String = long.chars().take(chars).collect();
        let c0 = cpu();
        let mut g = e.generate(GenerateRequest { prompt: Prompt::Text(text), max_tokens: Some(max), sampling: Sampling::default(), stop: vec![] }).unwrap();
        let n = g.prompt_tokens();
        rt.block_on(async { while let Some(ev) = g.next().await { } });
        println!("prompt {n} max {max}: cpu {:.3}", cpu()-c0);
    }
}
