//! Tables as Go's `text/tabwriter` draws them: two spaces after each column, cells counted in characters.

/// Cells end with `\t`, lines with `\n`; columns are as wide as neighbouring lines need.
#[derive(Debug, Default)]
pub(in crate::cli) struct Table {
    text: String,
}

/// Spaces after the widest cell of a column.
const PADDING: usize = 2;

impl Table {
    /// Adds a line. Line ends and tabs in a cell count as Go counts them: they end lines and cells.
    pub(in crate::cli) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for cell in cells {
            self.text.push_str(cell.as_ref());
            self.text.push('\t');
        }
        self.text.push('\n');
    }

    /// The table with its columns aligned.
    pub(in crate::cli) fn to_text(&self) -> String {
        let lines: Vec<Vec<&str>> = self
            .text
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        let mut widths: Vec<Vec<usize>> = lines.iter().map(|line| vec![0; line.len()]).collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        for column in 0..columns {
            let ends_here = |line: &Vec<&str>| column + 1 < line.len();
            let mut at = 0;
            while at < lines.len() {
                let run = lines[at..]
                    .iter()
                    .take_while(|line| ends_here(line))
                    .count();
                let width = lines[at..at + run]
                    .iter()
                    .filter_map(|line| line.get(column))
                    .map(|cell| cell.chars().count() + PADDING)
                    .max();
                for widths in widths.iter_mut().skip(at).take(run) {
                    if let (Some(place), Some(width)) = (widths.get_mut(column), width) {
                        *place = width;
                    }
                }
                at += run.max(1);
            }
        }
        let mut out = String::new();
        for (line, widths) in lines.iter().zip(&widths) {
            for (cell, width) in line.iter().zip(widths) {
                out.push_str(cell);
                let pad = width.saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', pad));
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_need() {
        let mut table = Table::default();
        table.row(["ID", "Comment"]);
        table.row(["ünï", "x"]);
        assert_eq!(table.to_text(), "ID   Comment  \nünï  x        \n");
    }

    #[test]
    fn a_line_end_in_a_cell_breaks_the_column_as_in_go() {
        let mut table = Table::default();
        table.row(["a", "long cell", "z"]);
        table.row(["b", "two\nlines", "z"]);
        assert_eq!(
            table.to_text(),
            "a      long cell  z  \nb      two\nlines  z  \n"
        );
    }
}
