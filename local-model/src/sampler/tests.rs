use super::*;

fn sampler(sampling: Sampling) -> Sampler {
    let sampling = Sampling {
        repetition_penalty: sampling.repetition_penalty.or(Some(1.0)),
        ..sampling
    };
    Sampler::new(&sampling, None, None)
}

fn next(sampler: &mut Sampler, logits: &[f32]) -> TokenId {
    sampler.sample(&mut logits.to_vec()).unwrap().token
}

/// Logits as a model gives them, the same for the same seed; one in four comes twice.
fn logits(count: usize, seed: u64) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut logits: Vec<f32> = (0..count)
        .map(|_| {
            let sum: f32 = (0..4).map(|_| random.random::<f32>()).sum();
            (sum - 2.0) * 10.0
        })
        .collect();
    for _ in 0..count / 4 {
        let (from, to) = (random.random_range(0..count), random.random_range(0..count));
        logits[to] = logits[from];
    }
    logits
}

/// All tokens, likeliest first, by sorting.
fn sorted(logits: &[f32]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = (0..)
        .zip(logits)
        .map(|(token, &value)| Candidate { token, value })
        .collect();
    all.sort_by(Candidate::order);
    all
}

#[test]
fn temperature_zero_takes_the_likeliest() {
    let mut sampler = sampler(Sampling::default());
    for _ in 0..3 {
        assert_eq!(next(&mut sampler, &[0.1, 3.0, 3.0, -1.0]), 1);
    }
}

#[test]
fn the_penalty_breaks_a_loop() {
    let mut sampler = sampler(Sampling {
        repetition_penalty: Some(2.0),
        ..Sampling::default()
    });
    assert_eq!(next(&mut sampler, &[1.0, 1.5, -9.0]), 1);
    assert_eq!(next(&mut sampler, &[1.0, 1.5, -9.0]), 0);
    assert_eq!(next(&mut sampler, &[-1.0, -1.5, -3.0]), 0);
}

#[test]
fn top_k_and_top_p_leave_out_the_unlikely() {
    let logits = [2.0_f32, 1.9, 1.8, -1.0, -2.0];
    let mut by_count = sampler(Sampling {
        temperature: Some(1.0),
        top_k: Some(2),
        top_p: Some(1.0),
        seed: Some(7),
        ..Sampling::default()
    });
    let mut by_mass = sampler(Sampling {
        temperature: Some(1.0),
        top_k: Some(0),
        top_p: Some(0.6),
        seed: Some(7),
        ..Sampling::default()
    });
    let mut seen = [0; 5];
    for _ in 0..200 {
        seen[next(&mut by_count, &logits) as usize] += 1;
        seen[next(&mut by_mass, &logits) as usize] += 1;
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
    assert_eq!(seen[2..], [0, 0, 0]);
}

#[test]
fn frequencies_follow_the_probabilities() {
    let mut sampler = sampler(Sampling {
        temperature: Some(2.0),
        top_k: Some(0),
        top_p: Some(1.0),
        seed: Some(1),
        ..Sampling::default()
    });
    // At temperature 2 the odds are e : 1.
    let draws = 20_000;
    let firsts = (0..draws)
        .filter(|_| next(&mut sampler, &[2.0, 0.0]) == 0)
        .count();
    let share = firsts as f32 / draws as f32;
    assert!((share - 0.7311).abs() < 0.02, "{share}");
}

#[test]
fn a_seed_repeats_the_draws() {
    let draw = |seed| {
        let mut sampler = sampler(Sampling {
            temperature: Some(1.0),
            seed: Some(seed),
            ..Sampling::default()
        });
        (0..20)
            .map(|_| next(&mut sampler, &[1.0, 1.1, 0.9, 1.0]))
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
}

#[test]
fn survives_logits_that_are_not_numbers() {
    let mut sampler = sampler(Sampling {
        temperature: Some(1.0),
        ..Sampling::default()
    });
    assert!(next(&mut sampler, &[f32::NAN, f32::NAN]) < 2);
}

#[test]
fn ties_go_to_the_lowest_id() {
    let mut values = vec![0.0; 2000];
    for token in [700, 701, 1500] {
        values[token] = 4.0;
    }
    assert_eq!(next(&mut sampler(Sampling::default()), &values), 700);
    assert_eq!(rank::likeliest(&[f32::NAN, f32::NEG_INFINITY]), None);
    assert_eq!(rank::likeliest(&[f32::NAN, -5.0, f32::NAN]), Some(1));
}

#[test]
fn the_top_is_that_of_a_sort() {
    let mut found = Vec::new();
    for (count, seed) in [(1, 1), (5, 2), (64, 3), (1000, 4), (9999, 5), (10_000, 6)] {
        let logits = logits(10_000, seed);
        rank::top(&logits, count, &mut found);
        found.sort_by(Candidate::order);
        assert_eq!(found, sorted(&logits)[..count], "{count}");
    }
    // Rising logits put every block over the threshold; equal ones none but the first.
    let rising: Vec<f32> = (0..10_000).map(|i| i as f32).collect();
    rank::top(&rising, 10, &mut found);
    let tokens: Vec<TokenId> = found.iter().map(|candidate| candidate.token).collect();
    assert_eq!(tokens, (9_990..10_000).collect::<Vec<_>>());
    rank::top(&vec![1.0; 10_000], 3, &mut found);
    assert_eq!(found.iter().map(|c| c.token).collect::<Vec<_>>(), [0, 1, 2]);
    rank::top(&[f32::NEG_INFINITY, f32::NAN, 1.0, 2.0], 3, &mut found);
    assert_eq!(found.iter().map(|c| c.token).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn the_nucleus_ends_where_a_sort_says() {
    let mut scratch = Vec::new();
    for (count, seed, share) in [(3, 1, 0.5), (65, 2, 0.9), (5000, 3, 0.1), (5000, 4, 0.999)] {
        let weights: Vec<f32> = logits(count, seed).iter().map(|l| l.exp()).collect();
        let sorted = sorted(&weights);
        let target = f64::from(share) * rank::total(&sorted);
        let mut sum = 0.0;
        let end = sorted.iter().find(|candidate| {
            sum += f64::from(candidate.value);
            sum >= target
        });
        let mut candidates = sorted.clone();
        candidates.sort_by_key(|candidate| candidate.token);
        let found = rank::nucleus_end(&candidates, share, &mut scratch);
        assert_eq!(Some(&found), end);
    }
}

#[test]
fn all_of_a_large_vocabulary_can_be_drawn_from() {
    let mut sampler = sampler(Sampling {
        temperature: Some(1.0),
        top_k: Some(0),
        top_p: Some(0.5),
        seed: Some(5),
        ..Sampling::default()
    });
    let logits = vec![0.0; 20_000];
    let draws: Vec<TokenId> = (0..200).map(|_| next(&mut sampler, &logits)).collect();
    // Of equal ones the nucleus takes the lowest ids.
    assert!(draws.iter().all(|&token| token < 10_000));
    assert!(draws.iter().any(|&token| token > 9_000));
    assert!(draws.iter().any(|&token| token < 1_000));
}

#[test]
fn min_p_leaves_out_what_is_far_below_the_likeliest() {
    let mut sampler = sampler(Sampling {
        temperature: Some(1.0),
        top_k: Some(0),
        top_p: Some(1.0),
        min_p: Some(0.2),
        seed: Some(2),
        ..Sampling::default()
    });
    // Odds of 1 : e⁻¹ : e⁻²; the last is below 0.2.
    let mut seen = [0; 3];
    for _ in 0..2000 {
        seen[next(&mut sampler, &[2.0, 1.0, 0.0]) as usize] += 1;
    }
    let share = seen[1] as f32 / 2000.0;
    assert!((share - 0.2689).abs() < 0.04, "{seen:?}");
    assert_eq!(seen[2], 0);
}

#[test]
fn presence_and_frequency_count_the_whole_answer() {
    let with = |presence, frequency| {
        sampler(Sampling {
            presence_penalty: Some(presence),
            frequency_penalty: Some(frequency),
            ..Sampling::default()
        })
    };
    // Longer ago than the repetition penalty's window.
    let mut presence = with(1.5, 0.0);
    assert_eq!(next(&mut presence, &[1.0, 0.0, 0.0]), 0);
    for _ in 0..100 {
        assert_eq!(next(&mut presence, &[0.0, 0.0, 9.0]), 2);
    }
    assert_eq!(next(&mut presence, &[1.0, 0.0, -9.0]), 1);
    assert_eq!(next(&mut presence, &[1.6, 0.0, -9.0]), 0);
    let mut frequency = with(0.0, 0.5);
    let draws: Vec<TokenId> = (0..5).map(|_| next(&mut frequency, &[1.2, 0.0])).collect();
    assert_eq!(draws, [0, 0, 0, 1, 0]);
}

#[test]
fn log_probabilities_are_the_models_own() {
    let sampling = Sampling {
        repetition_penalty: Some(5.0),
        frequency_penalty: Some(1.0),
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(&sampling, Some(2), None);
    let logits = [1.0_f32, 3.0, 2.0, -1.0];
    let log_sum = logits.iter().map(|l| l.exp()).sum::<f32>().ln();
    let logprob = |token: usize| logits[token] - log_sum;
    for expected in [1, 2, 0, 1] {
        let drawn = sampler.sample(&mut logits.clone()).unwrap();
        let choice = drawn.choice.unwrap();
        assert_eq!(drawn.token, expected);
        assert!((choice.logprob - logprob(expected as usize)).abs() < 1e-5);
        let tokens: Vec<TokenId> = choice.top.iter().map(|&(token, _)| token).collect();
        assert_eq!(tokens, [1, 2]);
        assert!((choice.top[0].1 - logprob(1)).abs() < 1e-5);
        assert!((choice.top[1].1 - logprob(2)).abs() < 1e-5);
    }
}

#[test]
fn log_probabilities_need_no_top() {
    let mut sampler = Sampler::new(&Sampling::default(), Some(0), None);
    let drawn = sampler.sample(&mut [0.0, 0.0]).unwrap();
    let choice = drawn.choice.unwrap();
    assert!((choice.logprob + std::f32::consts::LN_2).abs() < 1e-6);
    assert_eq!(choice.top, []);
    let mut sampler = Sampler::new(&Sampling::default(), Some(255), None);
    let drawn = sampler.sample(&mut logits(500, 1)).unwrap();
    assert_eq!(drawn.choice.unwrap().top.len(), 20);
}

#[test]
fn strange_logits_do_no_harm() {
    for temperature in [0.0, 1e-30, 1.0] {
        for logprobs in [None, Some(3)] {
            let sampling = Sampling {
                temperature: Some(temperature),
                presence_penalty: Some(1.0),
                ..Sampling::default()
            };
            let mut sampler = Sampler::new(&sampling, logprobs, None);
            let mut token = |logits: &[f32]| {
                let drawn = sampler.sample(&mut logits.to_vec()).unwrap();
                assert!(drawn.choice.is_none_or(|choice| !choice.logprob.is_nan()));
                drawn.token
            };
            assert!(token(&[f32::NAN, f32::NAN]) < 2);
            assert_eq!(token(&[f32::NAN, 1.0, f32::NEG_INFINITY]), 1);
            assert_eq!(token(&[0.0, f32::INFINITY, f32::INFINITY]), 1);
            assert!(token(&[f32::NEG_INFINITY; 3]) < 3);
            assert_eq!(token(&[]), 0);
        }
    }
}
