"""What is measured, a row or a family of rows a file."""
