"""What chapters are made of: blocks, tables, figures, and the pages rendered from them."""
