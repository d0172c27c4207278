//! The locales of Babel that a module names.

use ruff_python_ast::{self as ast, Expr};

use super::{UseCollector, argument, last_name};
use crate::trim::SlimRule;

/// The position of the parameter `locale` of Babel's functions and classes (2.19), by the last component of their names.
const LOCALE_POSITIONS: &[(&str, usize)] = &[
    ("Catalog", 0),
    ("DateTimeFormat", 1),
    ("Format", 0),
    ("format_compact_currency", 3),
    ("format_compact_decimal", 2),
    ("format_compound_unit", 6),
    ("format_currency", 3),
    ("format_date", 2),
    ("format_datetime", 3),
    ("format_decimal", 2),
    ("format_interval", 5),
    ("format_list", 2),
    ("format_number", 1),
    ("format_percent", 2),
    ("format_relative_datetime", 4),
    ("format_scientific", 2),
    ("format_skeleton", 4),
    ("format_time", 3),
    ("format_timedelta", 5),
    ("format_unit", 4),
    ("get_currency_name", 2),
    ("get_currency_symbol", 1),
    ("get_currency_unit_pattern", 2),
    ("get_date_format", 1),
    ("get_datetime_format", 1),
    ("get_day_names", 2),
    ("get_decimal_symbol", 0),
    ("get_era_names", 1),
    ("get_exponential_symbol", 0),
    ("get_group_symbol", 0),
    ("get_infinity_symbol", 0),
    ("get_minus_sign_symbol", 0),
    ("get_month_names", 2),
    ("get_period_id", 3),
    ("get_period_names", 2),
    ("get_plus_sign_symbol", 0),
    ("get_quarter_names", 2),
    ("get_relative_name", 3),
    ("get_time_format", 1),
    ("get_timezone_gmt", 2),
    ("get_timezone_location", 1),
    ("get_timezone_name", 3),
    ("get_unit_name", 2),
    ("is_currency", 1),
    ("list_currencies", 0),
    ("normalize_currency", 1),
    ("parse_date", 1),
    ("parse_decimal", 1),
    ("parse_number", 1),
    ("parse_time", 1),
    ("validate_currency", 1),
];

/// Methods of locales that return names in the language of another locale, their first argument.
const NAMES: [&str; 4] = ["get_display_name", "get_language_name", "get_script_name", "get_territory_name"];

impl UseCollector {
    /// Notes the locales that a call names. Without one, Babel takes that of the environment.
    pub(super) fn note_locales(&mut self, call: &ast::ExprCall) {
        let method = last_name(&call.func).unwrap_or_default();
        let Some(dotted) = self.dotted(&call.func).filter(|dotted| is_babel(dotted)) else {
            if NAMES.contains(&method) && self.tops.contains("babel") {
                self.note_locale(call, argument(call, "locale", 0));
            }
            return;
        };
        match dotted.rsplit('.').next().unwrap_or_default() {
            "Locale" => self.note_locale(call, argument(call, "language", 0)),
            "parse" => self.note_locale(call, argument(call, "identifier", 0)),
            "load" | "get_locale_data" if dotted.contains(".localedata.") => {
                self.note_locale(call, argument(call, "name", 0));
            }
            "locale_identifiers" => self.add(SlimRule::Locales, call, None, true),
            "negotiate" => match argument(call, "available", 1) {
                Some(
                    Expr::List(ast::ExprList { elts, .. })
                    | Expr::Tuple(ast::ExprTuple { elts, .. })
                    | Expr::Set(ast::ExprSet { elts, .. }),
                ) => elts.iter().for_each(|available| self.note_locale(call, Some(available))),
                _ => self.add(SlimRule::Locales, call, None, true),
            },
            name => {
                let position = LOCALE_POSITIONS.iter().find(|(known, _)| *known == name);
                let position = position.map_or(usize::MAX, |(_, position)| *position);
                self.note_locale(call, argument(call, "locale", position));
            }
        }
    }

    /// Notes a locale that is passed to a function. What another call of Babel returns is noted there.
    fn note_locale(&mut self, call: &ast::ExprCall, locale: Option<&Expr>) {
        match locale {
            None | Some(Expr::NoneLiteral(_)) => {
                if call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none()) {
                    self.add(SlimRule::Locales, call, None, true);
                }
            }
            Some(locale) => {
                let names = self.texts(locale);
                if names.is_some() || !self.is_locale(locale) {
                    self.add(SlimRule::Locales, call, names, true);
                }
            }
        }
    }

    /// Returns whether an expression is certainly a locale that another call of Babel has returned.
    fn is_locale(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Call(call) => self.returns_locale(&call.func),
            Expr::Name(name) => {
                let binding = self.scopes.iter().rev().find_map(|scope| scope.get(&name.id));
                binding.is_some_and(|binding| {
                    binding.is_called() && binding.calls.iter().all(|function| self.returns_locale(function))
                })
            }
            _ => false,
        }
    }

    fn returns_locale(&self, function: &Expr) -> bool {
        let dotted = self.dotted(function).filter(|dotted| is_babel(dotted)).unwrap_or_default();
        let (class, method) = dotted.rsplit_once('.').unwrap_or_default();
        method == "Locale" || class.ends_with(".Locale") && matches!(method, "default" | "negotiate" | "parse")
    }
}

fn is_babel(dotted: &str) -> bool {
    dotted.starts_with("babel.")
}
