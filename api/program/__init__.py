"""Programs: recordings that stand on their own, saved and loaded without source."""
