"""What is written on a page: lines of several engines joined, laid out, written as Markdown."""
