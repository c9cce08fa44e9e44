//! What is fetched is kept, listed, compared and removed.

use super::*;

#[tokio::test]
async fn a_repository_is_fetched_listed_verified_and_removed() {
    let bench = Bench::new().await;
    bench
        .hub
        .publish("org/encoder", COMMIT, &["main"], &encoder());
    let folder = bench.pulled("org/encoder").await;
    let at = format!("kept/hub/org--encoder/{COMMIT}");
    assert_eq!(folder, bench.home.path().join(&at));
    let files = [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "skinflint.json",
        "tokenizer.json",
    ];
    assert_eq!(bench.kept(), files.map(|file| format!("{at}/{file}")));
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).unwrap(),
        bytes(100_000)
    );
    let manifest = std::fs::read(folder.join("skinflint.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["source"], bench.hub.url());
    assert_eq!(manifest["revision"], COMMIT);
    assert_eq!(manifest["files"].as_array().unwrap().len(), 4);

    let row = bench.list().await.pop().unwrap();
    assert_eq!(
        row,
        json!({
            "name": "org/encoder", "purpose": "embed", "state": "here", "fault": null,
            "bytes": manifest["files"].as_array().unwrap().iter().map(|file| file["size"].as_u64().unwrap()).sum::<u64>(),
            "path": at,
        })
    );
    let verified = bench.run("verify", &["--all"]).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(
        verified
            .stdout
            .lines()
            .filter(|line| line.ends_with(": ok"))
            .count(),
        4
    );

    bench.hub.take_requests();
    let again = bench.pull("org/encoder").await;
    assert!(again.stderr.contains("already here"), "{}", again.stderr);
    assert_eq!(bench.hub.take_requests().len(), 1);

    let removed = bench.run("rm", &["org/encoder"]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(
        removed
            .stdout
            .starts_with("removed kept/hub/org--encoder ("),
        "{}",
        removed.stdout
    );
    assert_eq!(bench.kept(), [""; 0]);
    let gone = bench.run("rm", &["org/encoder"]).await;
    assert_eq!(
        bench.error(&gone),
        "error: there is nothing of `org/encoder` in kept"
    );
}

#[tokio::test]
async fn a_table_for_people_names_everything() {
    let bench = Bench::new().await;
    bench.hub.publish(
        "org/small",
        COMMIT,
        &["main"],
        &[("q4.gguf", bytes(3 << 20))],
    );
    bench.pulled("org/small:q4.gguf").await;
    assert_snapshot!(bench.told(&bench.run("list", &[]).await), @"
    Some(0)
    NAME               FOR             SIZE  STATE     PATH
    gemma-3-270m       generate  241.39 MiB  not here  kept/gemma-3-270m-q4_k_m.gguf
    all-minilm-l6-v2   embed      87.10 MiB  not here  kept/all-minilm-l6-v2
    org/small:q4.gguf  generate    3.00 MiB  here      kept/hub/org--small/0123456789abcdef0123456789abcdef01234567/q4.gguf
    ");
}

#[tokio::test]
async fn gguf_files_are_fetched_by_name() {
    let bench = Bench::new().await;
    let files = [
        ("q4.gguf", bytes(4000)),
        ("q8.gguf", bytes(8000)),
        ("README.md", Vec::new()),
    ];
    bench
        .hub
        .publish("org/small", COMMIT, &["main", "v1"], &files);
    let unnamed = bench.pull("org/small").await;
    assert_snapshot!(bench.error(&unnamed), @"error: `org/small` has GGUF files; name one of them: `org/small:q4.gguf`, `org/small:q8.gguf`");
    let unknown = bench.pull("org/small:q2.gguf").await;
    assert_snapshot!(bench.error(&unknown), @"error: `org/small` has no file `q2.gguf`; it has `q4.gguf`, `q8.gguf`");
    assert_eq!(bench.kept(), [""; 0]);
    for (name, length) in [("org/small:q4.gguf", 4000), ("org/small@v1:q8.gguf", 8000)] {
        let path = bench.pulled(name).await;
        assert_eq!(std::fs::read(path).unwrap(), bytes(length));
    }
    assert_eq!(
        bench.states().await,
        ["org/small:q4.gguf: here", "org/small:q8.gguf: here"]
    );
    let removed = bench.run("rm", &["org/small:q4.gguf"]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(bench.states().await, ["org/small:q8.gguf: here"]);
}

#[tokio::test]
async fn a_branch_that_moves_on_is_fetched_anew_and_what_was_there_stays() {
    let bench = Bench::new().await;
    bench
        .hub
        .publish("org/small", COMMIT, &["main"], &[("q4.gguf", bytes(4000))]);
    let before = bench.pulled("org/small:q4.gguf").await;
    bench
        .hub
        .publish("org/small", NEXT, &["main"], &[("q4.gguf", bytes(5000))]);
    let after = bench.pulled("org/small:q4.gguf").await;
    assert_ne!(before, after);
    assert_eq!(
        bench.states().await,
        [
            format!("org/small@{COMMIT}:q4.gguf: here"),
            "org/small:q4.gguf: here".to_owned()
        ]
    );
    let removed = bench.run("rm", &[&format!("org/small@{COMMIT}")]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(!before.exists() && after.exists());
}

#[tokio::test]
async fn damage_is_named_and_mended() {
    let bench = Bench::new().await;
    bench
        .hub
        .publish("org/encoder", COMMIT, &["main"], &encoder());
    let weights = bench.pulled("org/encoder").await.join("model.safetensors");
    let mut changed = bytes(100_000);
    changed[50_000] ^= 1;
    std::fs::write(&weights, &changed).unwrap();
    let verified = bench.run("verify", &["org/encoder"]).await;
    assert_snapshot!(bench.told(&verified), @"
    Some(1)
    kept/hub/org--encoder/0123456789abcdef0123456789abcdef01234567/config.json: ok
    kept/hub/org--encoder/0123456789abcdef0123456789abcdef01234567/tokenizer.json: ok
    kept/hub/org--encoder/0123456789abcdef0123456789abcdef01234567/1_Pooling/config.json: ok
    reading: 100% of 97.72 KiB
    kept/hub/org--encoder/0123456789abcdef0123456789abcdef01234567/model.safetensors is damaged: it has SHA-256 da022bffe2f4c672abc3125173c85f0d0803965bf0e007298c0875eedbb1c147, expected a4366cd2f464f944e81485402a54567bf6661bb8592c748bb5f008ae38dd8303; remove it with `skinflint models rm org/encoder` and fetch it again
    error: damaged files: 1 of 4
    ");
    std::fs::write(&weights, &changed[..99_999]).unwrap();
    for verified in [
        bench.run("verify", &["--all"]).await,
        bench.run("verify", &["org/encoder"]).await,
    ] {
        assert_eq!(verified.code, Some(1));
        assert!(
            verified
                .stderr
                .contains("model.safetensors has 99999 bytes, expected 100000"),
            "{}",
            verified.stderr
        );
        assert!(
            verified.stderr.contains("damaged files: 1 of 4"),
            "{}",
            verified.stderr
        );
    }
    assert_eq!(bench.states().await, ["org/encoder: damaged"]);
    bench.hub.take_requests();
    bench.pulled("org/encoder").await;
    assert_eq!(
        asked(&bench.hub.take_requests()),
        [
            "Hub main?blobs=true all",
            "Hub model.safetensors all",
            "Store model.safetensors all"
        ]
        .map(|line| line.replace("main?blobs=true", "true"))
    );
    assert_eq!(std::fs::read(&weights).unwrap(), bytes(100_000));
    assert_eq!(bench.run("verify", &["org/encoder"]).await.code, Some(0));
}

#[tokio::test]
async fn nothing_outside_the_folder_is_removed() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.home.path().join("kept")).unwrap();
    for path in ["precious.gguf", "kept/own.gguf"] {
        std::fs::write(bench.home.path().join(path), "x").unwrap();
    }
    for path in ["./precious.gguf", "precious.gguf", "kept/../precious.gguf"] {
        let refused = bench.run("rm", &[path]).await;
        assert_eq!(
            bench.error(&refused),
            format!("error: {path} is not in the models folder kept: remove it by hand")
        );
    }
    let removed = bench.run("rm", &["kept/own.gguf"]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(bench.home.path().join("precious.gguf").exists());
    assert!(!bench.home.path().join("kept/own.gguf").exists());
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_without_asking_anybody() {
    let bench = Bench::new().await;
    let mut told = String::new();
    for name in ["gemma", "org/", "org/name:../x.gguf", "./own.gguf"] {
        told += &bench.error(&bench.pull(name).await);
        told += "\n";
    }
    assert_snapshot!(told, @"
    error: no model `gemma` in the catalogue, which has `gemma-3-270m`, `all-minilm-l6-v2`; models of Hugging Face are named `org/name`
    error: `org/` is no name of Hugging Face: organisation and name are of ASCII letters, digits, `-`, `_` and `.`; expected `org/name`, `org/name@revision` or `org/name:file.gguf`
    error: `org/name:../x.gguf` is no name of Hugging Face: the file is no path within the repository; expected `org/name`, `org/name@revision` or `org/name:file.gguf`
    error: `./own.gguf` is neither a model of the catalogue, nor a name of Hugging Face such as `org/name`, nor a file or folder
    ");
    assert_eq!(bench.hub.take_requests().len(), 0);
}
