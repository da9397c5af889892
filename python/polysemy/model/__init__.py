"""What a model is, apart from any checkpoint format: its specification, parameters and pooling."""
