"""The output of a search: records, live table, metrics, TensorBoard, Optuna journal."""
