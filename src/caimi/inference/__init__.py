"""Running a model: engines, workers, receipts and their verification."""
