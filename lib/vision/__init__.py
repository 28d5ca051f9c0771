"""Reading pictures and scans: decoding, straightening, Tesseract. Needs the extra ``ocr``."""
