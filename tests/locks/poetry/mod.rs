//! Locks that Poetry made: what is selected from them, compared with what Poetry's installer would install.

mod freshness;
mod invalid;
mod older_formats;
mod oracle;
mod project;
mod selection;
