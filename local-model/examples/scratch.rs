#![allow(warnings)]
use skinflint_local_model::*;
use std::num::NonZeroUsize;
use std::time::Instant;
fn rss() -> String { let s = std::fs::read_to_string("/proc/self/status").unwrap(); s.lines().filter(|l| l.starts_with("VmRSS")||l.starts_with("VmHWM")).collect::<Vec<_>>().join(" ") }
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let t = Instant::now();
    let e = Engine::load(std::path::Path::new(&args[1]), EngineOptions { threads: NonZeroUsize::new(2).unwrap(), max_queue: 4, context_limit: None, name: "g".into() }).unwrap();
    println!("load {:?} {:?} {}", t.elapsed(), e.info(), rss());
    let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let qs = ["What is the capital of France?", "Hello!", "Write a haiku about the sea.", "What is 2 + 2?", "Explain what a hash table is in one sentence.", "Say hello in three languages.", "Give me a short title for a conversation about fixing a memory leak in Rust.", "Who wrote Hamlet?", "List three fruits.", "Summarize: The cat sat on the mat because it was warm and the sun was shining through the window."];
    for q in qs {
        let req = GenerateRequest { prompt: Prompt::Chat(vec![Turn{role:Role::User,text:q.into()}]), max_tokens: Some(120), sampling: Sampling::default(), stop: vec![] };
        let t = Instant::now();
        let mut g = e.generate(req).unwrap();
        let mut s = String::new(); let mut first=None;
        rt.block_on(async { while let Some(ev) = g.next().await { match ev { Event::Text(x) => { first.get_or_insert(t.elapsed()); s.push_str(&x)}, o => println!("  [{o:?} ttft {first:?} total {:?}]", t.elapsed()) } } });
        println!("Q: {q}\nA: {s}");
    }
    let long = std::fs::read_to_string(&args[2]).unwrap();
    for n in [512usize, 2048, 8192] {
        let mut text: String = long.chars().take(n*4).collect();
        let t = Instant::now(); let c = e.count_tokens(&Prompt::Text(text.clone())).unwrap(); let tt=t.elapsed();
        let mut g = e.generate(GenerateRequest { prompt: Prompt::Text(text), max_tokens: Some(1), sampling: Sampling::default(), stop: vec![] }).unwrap();
        let t = Instant::now();
        rt.block_on(async { while let Some(ev) = g.next().await { } });
        println!("prefill {c} tokens (tokenize {tt:?}) {:?} = {:.0} tok/s {}", t.elapsed(), c as f64 / t.elapsed().as_secs_f64(), rss());
        let mut g = e.generate(GenerateRequest { prompt: Prompt::Text("Once upon a time".into()), max_tokens: Some(200), sampling: Sampling::default(), stop: vec![] }).unwrap();
        let t = Instant::now(); let mut s=String::new();
        rt.block_on(async { while let Some(ev) = g.next().await { if let Event::Text(x)=ev {s.push_str(&x)} else {println!("{ev:?}")} } });
        println!("decode {:.1} tok/s", 200.0 / t.elapsed().as_secs_f64());
        if n==512 {println!("{s}");}
    }
}
