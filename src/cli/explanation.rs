//! Errors for people: long lists are cut, and of many hints of one kind the first are given.

/// How many lines of a list of problems are shown.
const SHOWN_PROBLEMS: usize = 10;
/// How many hints of one kind are shown.
const SHOWN_HINTS: usize = 2;

/// Cuts a message that lists problems, each in an indented line.
pub(super) fn message(text: &str) -> String {
    let mut lines = text.lines();
    let is_list = lines.next().is_some_and(|first| first.ends_with(':'))
        && lines.clone().all(|line| line.strip_prefix("  ").is_some_and(|rest| !rest.starts_with(' ')));
    let problems = lines.clone().count();
    if !is_list || problems <= SHOWN_PROBLEMS + 1 {
        return text.to_owned();
    }
    let shown: Vec<&str> = text.lines().take(1 + SHOWN_PROBLEMS).collect();
    format!("{}\n  … and {} more; -v shows all", shown.join("\n"), problems - SHOWN_PROBLEMS)
}

/// Returns the first hints of each kind, and how many there are besides.
pub(super) fn hints(all: &[String]) -> Vec<String> {
    let mut kinds: Vec<Vec<&String>> = Vec::new();
    for hint in all {
        match kinds.iter_mut().find(|kind| is_of_one_kind(kind[0], hint)) {
            Some(kind) => kind.push(hint),
            None => kinds.push(vec![hint]),
        }
    }
    let mut shown = Vec::new();
    for kind in kinds {
        // The place of one more is better used for the hint itself.
        let length = if kind.len() <= SHOWN_HINTS + 1 { kind.len() } else { SHOWN_HINTS };
        shown.extend(kind[..length].iter().map(|hint| (*hint).clone()));
        if length < kind.len() {
            shown.push(format!("{} more hints are like this one; -v shows all", kind.len() - length));
        }
    }
    shown
}

/// Tells whether two hints differ only in names: in at most a third of their words.
fn is_of_one_kind(one: &str, other: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
    let differing = one.iter().zip(&other).filter(|(one, other)| one != other).count();
    one.len() == other.len() && 3 * differing <= one.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_problems_is_cut() {
        let list = |problems: usize| {
            let lines = (1..=problems).map(|number| format!("\n  app.py:{number} imports `m{number}`"));
            format!("the artifact has {problems} problems:{}", lines.collect::<String>())
        };
        for problems in [1, 11] {
            assert_eq!(message(&list(problems)), list(problems));
        }
        let cut = message(&list(74));
        assert_eq!(cut.lines().count(), 12);
        assert!(cut.ends_with("\n  app.py:10 imports `m10`\n  … and 64 more; -v shows all"), "{cut}");
        // The output of another program is no list.
        let output = format!("it said:{}", "\n    at line\n  here".repeat(20));
        assert_eq!(message(&output), output);
    }

    #[test]
    fn hints_of_one_kind_are_given_a_few_times() {
        let add = |name: &str| format!("if it belongs to the distribution {name}, add it with `uv add {name}`");
        let mut all: Vec<String> = ["a", "b", "c", "d"].map(add).to_vec();
        all.insert(1, "did you mean `requests`?".to_owned());
        all.push("pass --no-audit".to_owned());
        let expected = [
            &add("a"),
            &add("b"),
            "2 more hints are like this one; -v shows all",
            "did you mean `requests`?",
            "pass --no-audit",
        ];
        assert_eq!(hints(&all), expected);
        assert_eq!(hints(&all[..4]).len(), 4);
    }
}
