//! The text of a result: headlines, fields and tables.

use anstyle::Style;

use super::plain::plain;

const STRONG: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// The lines of a result, which are printed together.
#[derive(Debug, Default)]
pub(crate) struct TextPage {
    pub(super) text: String,
    /// The width that tables must fit in, in characters; `None` where there is no terminal, and nothing is cut off.
    width: Option<usize>,
}

/// The narrowest column that a table is cut to, in characters.
const NARROWEST: usize = 5;

impl TextPage {
    /// Creates a page for a terminal of some width in characters, or for a file or a pipe.
    pub(crate) fn new(width: Option<usize>) -> Self {
        Self { text: String::new(), width }
    }

    /// Adds a line in bold, with a dim remark after it.
    pub(crate) fn headline(&mut self, text: &str, remark: &str) {
        let (text, remark) = (plain(text), plain(remark));
        self.text.push_str(&format!("{STRONG}{text}{STRONG:#}  {DIM}{remark}{DIM:#}\n"));
    }

    /// Adds a line in bold.
    pub(crate) fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("  {STRONG}{}{STRONG:#}\n", plain(text)));
    }

    /// Adds a line with a label before it.
    pub(crate) fn field(&mut self, label: &str, value: &str) {
        self.text.push_str(&format!("  {DIM}{label:<9}{DIM:#} {}\n", plain(value)));
    }

    /// Adds how long everything took, in seconds, and what each phase took.
    pub(crate) fn time(&mut self, seconds: f64, phases: Option<String>) {
        let phases = phases.filter(|phases| !phases.is_empty()).map(|phases| format!(": {phases}"));
        self.field("time", &format!("{seconds:.2} s{}", phases.unwrap_or_default()));
    }

    /// Adds an indented line with its source, dimmed, as a comment.
    pub(crate) fn sourced(&mut self, text: &str, source: &str) {
        self.text.push_str(&format!("  {}  {DIM}# {}{DIM:#}\n", plain(text), plain(source)));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(&plain(text));
        self.text.push('\n');
    }

    /// Adds rows as [`table`](Self::table) does, indented, the first of which is a dimmed head.
    pub(crate) fn table_with_head<const N: usize>(&mut self, rows: &[[String; N]], right: &[usize]) {
        let mut table = Self::new(self.width.map(|width| width.saturating_sub(2)));
        table.table(rows, right);
        for (index, line) in table.text.lines().enumerate() {
            if index == 0 {
                self.text.push_str(&format!("  {DIM}{line}{DIM:#}\n"));
            } else {
                self.text.push_str(&format!("  {line}\n"));
            }
        }
    }

    /// Adds rows with aligned columns: those in `right` to the right, the others to the left. Where the page is too narrow,
    /// the widest of the others are cut, and at last the first, which names what the row is about. Numbers are not cut.
    pub(crate) fn table<const N: usize>(&mut self, rows: &[[String; N]], right: &[usize]) {
        let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| one_line(cell))).collect();
        let rows = &rows[..];
        let mut widths: [usize; N] = std::array::from_fn(|column| column_width(rows, column));
        let room = self.width.unwrap_or(usize::MAX);
        while widths.iter().sum::<usize>() + 2 * (N - 1) > room
            && let Some(cut) = (1..N)
                .filter(|column| !right.contains(column) && widths[*column] > NARROWEST)
                .max_by_key(|column| widths[*column])
                .or_else(|| (widths[0] > NARROWEST && !right.contains(&0)).then_some(0))
        {
            widths[cut] -= 1;
        }
        for row in rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                let cell = shortened(cell, width);
                if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            self.line(line.trim_end());
        }
    }
}

/// Returns the width of a column, in characters.
pub(crate) fn column_width<const N: usize>(rows: &[[String; N]], column: usize) -> usize {
    rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
}

/// Escapes control characters: names and values in artifacts are not trusted.
pub(crate) fn visible(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '"' | '\'' | '\\' => character.to_string(),
        other => other.escape_debug().to_string(),
    });
    characters.collect()
}

/// Escapes what a cell of a table may not contain.
fn one_line(text: &str) -> String {
    plain(&text.replace('\n', "\\n"))
}

/// Shortens a text to a width in characters: the middle is replaced by an ellipsis.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let before = width.saturating_sub(1) / 2;
    let after = width.saturating_sub(1) - before;
    let (before, after) = (&characters[..before], &characters[characters.len() - after..]);
    before.iter().chain([&'…']).chain(after).collect()
}

/// Returns a count and its noun: `1 file`, `2 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_loses_its_middle() {
        for (text, width, expected) in [
            ("numpy", 5, "numpy"),
            ("numpy.libs/libopenblas.so", 12, "numpy…las.so"),
            ("ab", 1, "…"),
            ("größer als das", 8, "grö… das"),
        ] {
            let short = shortened(text, width);
            assert!(short.chars().count() <= width, "{short}");
            assert_eq!(short, expected);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["numpy", "9 B"], ["six", "12 KiB"]].map(|row| row.map(str::to_owned));
        let mut page = TextPage::new(None);
        page.table(&rows, &[1]);
        assert_eq!(page.text, "numpy     9 B\nsix    12 KiB\n");
    }

    #[test]
    fn a_table_fits_into_the_width_of_a_page() {
        let rows = [["api", "dist/background-worker.zip"]].map(|row| row.map(str::to_owned));
        // Names are cut after what describes them, and numbers never.
        let sized = [["background", "155.7 KiB", "dist/background-worker.zip"]].map(|row| row.map(str::to_owned));
        let page = |width: Option<usize>, fill: &dyn Fn(&mut TextPage)| {
            let mut page = TextPage::new(width);
            fill(&mut page);
            page.text
        };
        for (width, expected, expected_sized) in [
            (Some(31), "api  dist/background-worker.zip\n", "background  155.7 KiB  dis….zip\n"),
            (Some(20), "api  dist/ba…ker.zip\n", "ba…nd  155.7 KiB  di…ip\n"),
            (Some(5), "api  di…ip\n", "ba…nd  155.7 KiB  di…ip\n"),
        ] {
            assert_eq!(page(width, &|page| page.table(&rows, &[])), expected, "{width:?}");
            assert_eq!(page(width, &|page| page.table(&sized, &[1])), expected_sized, "{width:?}");
        }
    }
}
