"""Where runs are watched: Weights & Biases, TensorBoard, CSV files."""
