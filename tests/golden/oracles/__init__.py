"""What the released code did, written again as plain functions; the golden cases hold these to its numbers."""
