"""What is made of an encoder and a head, one file each; results have the form of transformers' pipelines."""
