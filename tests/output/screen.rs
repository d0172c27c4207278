//! What a terminal shows of the bytes that are written to it.

/// A terminal without scrolling, of which every picture is kept.
pub struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The pictures, without empty rows at the end and without repetitions.
    pub pictures: Vec<String>,
    /// The rows that were longer than the terminal is wide, up to where they were wrapped.
    pub wrapped: Vec<String>,
}

impl Screen {
    /// Shows what was written to a terminal.
    pub fn of(written: &str, columns: usize) -> Self {
        let (pictures, wrapped) = (Vec::new(), Vec::new());
        let mut screen = Self { columns, rows: vec![Vec::new()], row: 0, column: 0, pictures, wrapped };
        let mut rest = written;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '\x1b' => rest = screen.escape(rest),
                '\r' => {
                    // A redraw begins with one.
                    screen.keep();
                    screen.column = 0;
                }
                '\n' => {
                    screen.row += 1;
                    screen.extend();
                }
                other => screen.put(other),
            }
        }
        screen.keep();
        screen
    }

    /// Returns the last picture.
    pub fn last(&self) -> &str {
        self.pictures.last().map_or("", String::as_str)
    }

    /// Returns whether a row of some picture satisfies a condition.
    pub fn has_row(&self, condition: impl Fn(&str) -> bool) -> bool {
        self.pictures.iter().flat_map(|picture| picture.lines()).any(condition)
    }

    fn keep(&mut self) {
        let rows: Vec<String> =
            self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect();
        let picture = rows.join("\n").trim_end().to_owned();
        if self.last() != picture {
            self.pictures.push(picture);
        }
    }

    fn extend(&mut self) {
        while self.rows.len() <= self.row {
            self.rows.push(Vec::new());
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            // indicatif fills rows with spaces up to the end, after which the next one begins.
            if self.rows[self.row].last() != Some(&' ') {
                self.wrapped.push(self.rows[self.row].iter().collect());
            }
            self.row += 1;
            self.column = 0;
            self.extend();
        }
        let row = &mut self.rows[self.row];
        row.resize(row.len().max(self.column + 1), ' ');
        row[self.column] = character;
        self.column += 1;
    }

    /// Executes a control sequence, and returns what follows it.
    fn escape<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(sequence) = text.strip_prefix('[') else { panic!("unknown escape sequence: {text:?}") };
        let end = sequence.find(|character: char| character.is_ascii_alphabetic()).unwrap();
        let (number, rest) = (sequence[..end].parse::<usize>().ok(), &sequence[end + 1..]);
        match &sequence[end..=end] {
            "A" => self.row = self.row.saturating_sub(number.unwrap_or(1)),
            "B" => {
                self.row += number.unwrap_or(1);
                self.extend();
            }
            "K" if number == Some(2) => self.rows[self.row].clear(),
            "K" => self.rows[self.row].truncate(self.column),
            "J" => {
                self.rows.truncate(self.row + 1);
                self.rows[self.row].truncate(self.column);
            }
            // Colors, and whether the cursor is shown.
            "m" | "l" | "h" => {}
            other => panic!("unknown control sequence {other} in {text:?}"),
        }
        rest
    }
}
