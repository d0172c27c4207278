//! Locks of Poetry: selection, compared with Poetry's installer.

mod freshness;
mod invalid;
mod older_formats;
mod oracle;
mod project;
mod selection;
