//! `pybundle why`: shows what requires a distribution.

use std::collections::BTreeSet;

use clap::Args;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::dependency_tree::{DependencyTree, DistributionOrder, dependent};
use super::error::CliError;
use super::plan::{PlannedTargets, plans};
use super::printer::Printer;
use super::text_page::TextPage;
use crate::hints::{Hints, did_you_mean, nearest};
use crate::name::DistributionName;
use crate::options::LambdaOptions;
use crate::report::{
    DistributionReport, FORMAT_VERSION, OfferReport, PlanReport, RequirementReport, UnplannedTargetReport, WhyReport,
    WhyTargetReport,
};

/// Arguments of `pybundle why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// Distribution
    #[arg(value_name = "NAME")]
    name: DistributionName,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    options: LambdaOptions,
}

/// A distribution that is in no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) struct NotSelected {
    name: DistributionName,
    /// Why, if the lock selects it.
    excluded: Option<String>,
    /// The flag that excludes it.
    excluding_flag: Option<&'static str>,
    /// The flags that would select it.
    offers: BTreeSet<OfferReport>,
    /// What the lock requires it for, but not for these targets.
    unmet: UnmetRequirements,
    similar: Option<String>,
}

/// The requirements of a distribution that no target meets.
#[derive(Debug, Default)]
struct UnmetRequirements {
    /// The conditions of those whose dependents are selected, with the dependents.
    conditions: BTreeSet<(String, String)>,
    /// The other dependents.
    dependents: BTreeSet<String>,
}

impl UnmetRequirements {
    fn of(name: &str, plans: &[(String, PlanReport)]) -> Self {
        let mut unmet = Self::default();
        for (_, plan) in plans {
            for requirement in plan.requirements.iter().filter(|requirement| requirement.name == name) {
                let (dependent, _) = dependent(&requirement.required_by);
                // What requires it is the project or its lock, or another distribution.
                let is_selected = plan.distributions.iter().any(|selected| selected.name == dependent)
                    || plan.project == dependent
                    || !plan.requirements.iter().any(|other| other.name == dependent);
                match &requirement.condition {
                    Some(condition) if is_selected && !requirement.applies => {
                        unmet.conditions.insert((requirement.required_by.clone(), condition.clone()));
                    }
                    _ if is_selected => {}
                    _ => drop(unmet.dependents.insert(dependent.to_owned())),
                }
            }
        }
        unmet
    }
}

impl std::fmt::Display for NotSelected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.excluded {
            Some(reason) => write!(formatter, "{} is excluded: {reason}", self.name),
            None => write!(formatter, "{} is not selected for any target", self.name),
        }?;
        if let Some(flag) = self.excluding_flag {
            return write!(formatter, ": {flag} excludes it");
        }
        let UnmetRequirements { conditions, dependents } = &self.unmet;
        let offered: Vec<String> = self.offers.iter().map(|offer| format!("the {}", offer.what)).collect();
        let reasons: Vec<String> = if !offered.is_empty() {
            vec![format!("it is locked for {}", offered.join(" and "))]
        } else if conditions.is_empty() {
            dependents.iter().map(|dependent| format!("{dependent} requires it, but is not selected")).collect()
        } else {
            conditions.iter().map(|(by, condition)| format!("{by} requires it only if `{condition}`")).collect()
        };
        if reasons.is_empty() { Ok(()) } else { write!(formatter, ": {}", reasons.join("; ")) }
    }
}

impl Hints for NotSelected {
    fn hints(&self) -> Vec<String> {
        if self.excluding_flag == Some("--no-dev") {
            return vec!["omit --no-dev (or its key in [tool.pybundle]) and pass --group dev to select it".to_owned()];
        }
        if let Some(flag) = self.excluding_flag {
            return vec![format!("omit {flag} (or its key in [tool.pybundle]) to select it")];
        }
        if !self.offers.is_empty() {
            let flags: Vec<&str> = self.offers.iter().map(|offer| offer.flags.as_str()).collect();
            return vec![format!("pass {} to select it", flags.join(" or "))];
        }
        let UnmetRequirements { conditions, dependents } = &self.unmet;
        match (&self.similar, dependents.first()) {
            (Some(similar), _) => vec![did_you_mean(similar)],
            (None, Some(dependent)) if conditions.is_empty() => {
                vec![format!("run `pybundle why {dependent}` to see why not")]
            }
            (None, _) if !conditions.is_empty() => vec![],
            (None, _) => vec!["run `pybundle plan --tree` to see what is selected".to_owned()],
        }
    }
}

impl NotSelected {
    fn new(name: DistributionName, plans: &[(String, PlanReport)]) -> Self {
        let excluded =
            plans.iter().flat_map(|(_, plan)| &plan.excluded).find(|excluded| excluded.name == name.as_str());
        let names =
            plans.iter().flat_map(|(_, plan)| &plan.distributions).map(|distribution| distribution.name.as_str());
        let unmet = match excluded {
            Some(_) => UnmetRequirements::default(),
            None => UnmetRequirements::of(name.as_str(), plans),
        };
        let excluding_flag = plans.iter().find_map(|(_, plan)| plan.absence.excluding_flag);
        let offers: BTreeSet<OfferReport> = plans.iter().flat_map(|(_, plan)| plan.absence.offers.clone()).collect();
        let is_known = excluded.is_some()
            || excluding_flag.is_some()
            || !offers.is_empty()
            || !unmet.conditions.is_empty()
            || !unmet.dependents.is_empty();
        let similar = nearest(name.as_str(), names).filter(|_| !is_known).map(str::to_owned);
        let excluded = excluded.map(|excluded| excluded.reason.clone());
        Self { excluded, excluding_flag, offers, unmet, similar, name }
    }
}

/// Prints every path from the distribution to what the project requires, for the named target or for all targets.
///
/// # Errors
/// No target can be planned, or none of those that can has the distribution.
pub(crate) fn run(arguments: WhyArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let WhyArguments { name, project, options } = arguments;
    let PlannedTargets { plans, failed } = plans(project, options, &name, global, printer)?;
    for (target, error) in &failed {
        let reason = [std::slice::from_ref(&error.message), &error.causes[..]].concat().join(": ");
        printer.warning(&format!("{target}: "), &format!("not considered: {reason}"));
    }
    let mut targets: Vec<WhyTargetReport> = Vec::new();
    for (target, plan) in &plans {
        let tree = DependencyTree::new(plan, DistributionOrder::Name);
        if !tree.contains(name.as_str()) {
            continue;
        }
        let distributions: Vec<DistributionReport> = tree.ancestors(name.as_str()).into_iter().cloned().collect();
        // Most targets of a project get a distribution for the same reason.
        match targets.iter_mut().find(|known| is_same(&known.distributions, &distributions)) {
            Some(known) => known.targets.push(target.clone()),
            None => {
                let conditions = conditions(plan, &distributions);
                targets.push(WhyTargetReport { targets: vec![target.clone()], distributions, conditions });
            }
        }
    }
    if targets.is_empty() {
        return Err(Box::new(NotSelected::new(name, &plans)).into());
    }
    let failed = failed.into_iter().map(|(target, error)| UnplannedTargetReport { target, error }).collect();
    let report = WhyReport { format: FORMAT_VERSION, name: name.to_string(), targets, failed };
    printer.result(&report, |page| {
        for (at, why) in report.targets.iter().enumerate() {
            if at > 0 {
                page.line("");
            }
            if plans.len() > 1 || !report.failed.is_empty() {
                page.heading(&why.targets.join(", "));
            }
            show(&plans, why, name.as_str(), page);
        }
    })
}

/// Returns the conditions under which distributions are required, sorted.
fn conditions(plan: &PlanReport, distributions: &[DistributionReport]) -> Vec<RequirementReport> {
    let shown = plan.requirements.iter().filter(|requirement| {
        requirement.condition.is_some()
            && requirement.applies
            && distributions.iter().any(|distribution| distribution.name == requirement.name)
    });
    let sorted: BTreeSet<&RequirementReport> = shown.collect();
    sorted.into_iter().cloned().collect()
}

fn is_same(one: &[DistributionReport], other: &[DistributionReport]) -> bool {
    one.iter().map(reason).eq(other.iter().map(reason))
}

/// Returns what of a distribution is compared.
fn reason(distribution: &DistributionReport) -> (&String, &Option<String>, &Vec<String>) {
    (&distribution.name, &distribution.version, &distribution.required_by)
}

fn show(plans: &[(String, PlanReport)], why: &WhyTargetReport, name: &str, page: &mut TextPage) {
    if let Some((_, plan)) = plans.iter().find(|(target, _)| why.targets.contains(target)) {
        let distribution = plan.distributions.iter().find(|distribution| distribution.name == name);
        if let Some(distribution) = distribution {
            DependencyTree::new(plan, DistributionOrder::Name).show_dependents(&distribution.name, page);
        }
    }
}
