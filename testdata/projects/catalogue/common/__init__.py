"""Code that every application of this repository takes from one folder, and that nobody installs."""
