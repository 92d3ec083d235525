"""One folder a page: its layout, its refresh and its rendering."""
