//! The report of what was omitted and stripped.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::install::InstalledDistribution;
use crate::report::{KeptDataReport, Savings, SlimmedReport, TrimReport};
use crate::trim::SlimRule;

/// Reports what `--slim` and `--strip` saved.
pub(crate) fn trim_report(distributions: &[InstalledDistribution]) -> TrimReport {
    let (mut slimmed, mut stripped) = (BTreeMap::<SlimRule, Savings>::new(), Savings::default());
    let (mut excluded, mut kept) = (Savings::default(), BTreeSet::new());
    for distribution in distributions {
        for (rule, savings) in &distribution.slimmed {
            slimmed.entry(*rule).or_default().add(*savings);
        }
        kept.extend(distribution.kept_data.iter().cloned());
        excluded.add(distribution.excluded);
        stripped.add(distribution.stripped);
    }
    let slimmed = slimmed.into_iter().map(|(rule, saved)| SlimmedReport { rule: rule.name().to_owned(), saved });
    let excluded = (excluded.files > 0).then_some(SlimmedReport { rule: "excluded".to_owned(), saved: excluded });
    let kept =
        kept.into_iter().map(|(rule, name, reason)| KeptDataReport { rule: rule.name().to_owned(), name, reason });
    TrimReport { slimmed: slimmed.chain(excluded).collect(), kept: kept.collect(), stripped }
}
