"""What the tabs Runs, Evaluate and Play show, as escaped HTML, figures and files."""
