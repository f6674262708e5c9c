//! Tests of the command line.

use super::*;

fn parse(line: &str) -> Result<Options, String> {
    Options::parse(line.split_whitespace().map(str::to_owned))
}

fn task(line: &str) -> Task {
    parse(line).expect(line).task
}

fn assert_errors(lines: &[(&str, &str)]) {
    for (line, problem) in lines {
        let found = parse(line).expect_err(line);
        assert!(found.contains(problem), "{line}: {found}");
    }
}

#[test]
fn a_run_is_repeated_by_the_command_that_it_prints() {
    for setup in [
        Setup { skewed: true, v1_share: 0.25, master_list: false, ..Setup::new(Scenario::Partition, 12) },
        Setup { loss: 0.05, interval: Duration::from_millis(2500), ..Setup::new(Scenario::Loss, 12) },
    ] {
        for compare in [true, false] {
            let command = setup.replay(4, compare);
            let line = command.strip_prefix("npm run sim -- ").expect("its beginning");
            assert_eq!(task(line), Task::Scenario { setup, seeds: Seeds { first: 4, count: 1 }, compare });
        }
    }
}

#[test]
fn an_invalid_option_or_value_is_named() {
    assert_errors(&[
        ("--scenario nothing", "no scenario nothing"),
        ("--n 1", "--n 1 is not valid"),
        ("--n 20000", "16 GB"),
        ("--n", "--n needs a value"),
        ("--n --json", "--n needs a value"),
        ("--n=", "not valid"),
        ("--seeds many", "--seeds many is not valid"),
        ("--seeds 0", "not valid"),
        ("--fuzz 0", "not valid"),
        ("--v1 2", "0 to 1"),
        ("--v1 NaN", "0 to 1"),
        ("--interval 0.05", "0.1 to 3600"),
        ("--scenario loss --loss 1", "below 1"),
        ("--scenario crash --loss 0.2", "for the scenario loss"),
        ("--else", "no option --else"),
        ("--explore four", "no cluster four"),
        ("--explore --replay two,3", "no cluster \"two,3\""),
        ("--json=yes", "--json takes no value"),
        ("5", "no option 5"),
    ]);
}

#[test]
fn an_option_that_would_have_no_effect_is_an_error() {
    assert_errors(&[
        ("--check --seeds 5", "--seeds is for a scenario"),
        ("--check --v1=1", "--v1 is for a scenario"),
        ("--fuzz --n 5", "--n is for a scenario or --check"),
        ("--fuzz --json", "--json is for a scenario or --check"),
        ("--slow", "--slow is for --check"),
        ("--check --fuzz", "--check and --fuzz exclude each other"),
        ("--seed 1 --seeds 2", "--seeds and --seed exclude each other"),
        ("--fuzz 5 --seed 5", "--fuzz N and --seed exclude each other"),
        ("--n 5 --n 6", "--n is given twice"),
        ("--replay two", "--replay is for --explore"),
        ("--explore --fuzz", "--explore and --fuzz exclude each other"),
        ("--explore --replay two --states 5", "--replay and --states exclude each other"),
        ("--check --n 7", "crash 10 12 100 1000"),
        ("--check --slow --scenario hang", "idle 10000"),
    ]);
}

#[test]
fn a_cluster_that_is_too_small_for_its_scenario_is_an_error() {
    assert_errors(&[
        ("--scenario crash --n 5 --v1 0.9", "of 5 servers 0 would run version 2"),
        ("--scenario mixed --n 2", "would run version 2"),
        ("--scenario mixed --v1 0", "needs a server of version 1"),
        ("--scenario refute --n 2", "needs 3 servers"),
        ("--scenario liar --n 2", "needs 3 servers"),
    ]);
    for (name, ..) in Scenario::ALL {
        let least = if matches!(*name, "refute" | "mixed" | "liar") { 4 } else { 2 };
        let line = format!("--scenario {name} --n {least} --seeds 1 --no-v1");
        let Task::Scenario { setup, seeds, .. } = task(&line) else { panic!("{line}") };
        assert_eq!(Report::of(&setup, seeds).unfinished, [0_u64; 0], "{line}");
    }
}

#[test]
fn a_value_follows_its_option_after_a_space_or_an_equals_sign() {
    assert_eq!(parse("--n=7 --json --v1=0.5"), parse("--v1 0.5 --n 7 --json"));
    assert_eq!(task("--fuzz 7"), Task::Fuzz(Seeds { first: 0, count: 7 }));
    assert_eq!(task("--fuzz=7"), task("--fuzz 7"));
    assert_eq!(task("--fuzz --seed 7"), Task::Fuzz(Seeds { first: 7, count: 1 }));
    assert!(usage().contains(&format!("default {STATES}")));
    assert_eq!(task("--explore --states 5"), Task::Explore(Cluster::ALL.to_vec(), 5));
    assert_eq!(task("--explore mixed"), Task::Explore(vec![Cluster::Mixed], STATES));
    assert_eq!(task("--explore --replay=two"), Task::Replay(Schedule { cluster: Cluster::Two, surprises: Vec::new() }));
    assert_eq!(task("--fuzz"), Task::Fuzz(Seeds { first: 0, count: SCHEDULES }));
    let selection = Selection { slow: true, scenario: Some(Scenario::Crash), servers: Some(10_000) };
    assert_eq!(task("--check --slow --scenario crash --n 10000"), Task::Check(selection));
}
