"""The user guide at /guide: the Markdown files of ui/guide, as plain pages."""
