//! Locks that Poetry made: what is selected from them, compared with what Poetry's installer would install.

mod damaged;
mod fresh;
mod kept;
mod oracle;
mod project;
mod selected;
