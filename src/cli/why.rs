//! `pybundle why`: shows what requires a distribution.

use clap::Args;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::dependency_tree::{DependencyTree, DistributionOrder};
use super::error::CliError;
use super::plan::plans;
use super::printer::{Printer, TextPage};
use crate::hints::{Hints, did_you_mean, nearest};
use crate::name::DistributionName;
use crate::options::LambdaOptions;
use crate::report::{DistributionReport, FORMAT_VERSION, PlanReport, WhyReport, WhyTargetReport};

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
    similar: Option<String>,
}

impl std::fmt::Display for NotSelected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.excluded {
            Some(reason) => write!(formatter, "{} is excluded: {reason}", self.name),
            None => write!(formatter, "{} is not selected for any target", self.name),
        }
    }
}

impl Hints for NotSelected {
    fn hints(&self) -> Vec<String> {
        let similar = self.similar.iter().map(|name| did_you_mean(name));
        let plan = || "run `pybundle plan --tree` to see what is selected".to_owned();
        similar.chain(self.similar.is_none().then(plan)).collect()
    }
}

impl NotSelected {
    fn new(name: DistributionName, plans: &[(String, PlanReport)]) -> Self {
        let excluded =
            plans.iter().flat_map(|(_, plan)| &plan.excluded).find(|excluded| excluded.name == name.as_str());
        let names =
            plans.iter().flat_map(|(_, plan)| &plan.distributions).map(|distribution| distribution.name.as_str());
        let similar = nearest(name.as_str(), names).filter(|_| excluded.is_none()).map(str::to_owned);
        Self { excluded: excluded.map(|excluded| excluded.reason.clone()), similar, name }
    }
}

/// Prints every path from the distribution to what the project requires, for the named target or for all targets.
///
/// # Errors
/// A target cannot be planned, or no target has the distribution.
pub(crate) fn run(arguments: WhyArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let WhyArguments { name, project, options } = arguments;
    let plans = plans(project, options, global, printer)?;
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
            None => targets.push(WhyTargetReport { targets: vec![target.clone()], distributions }),
        }
    }
    if targets.is_empty() {
        return Err(NotSelected::new(name, &plans).into());
    }
    let report = WhyReport { format: FORMAT_VERSION, name: name.to_string(), targets };
    printer.result(&report, |page| {
        for (at, why) in report.targets.iter().enumerate() {
            if at > 0 {
                page.line("");
            }
            if plans.len() > 1 {
                page.heading(&why.targets.join(", "));
            }
            show(&plans, why, name.as_str(), page);
        }
    })
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
