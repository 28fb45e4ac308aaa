"""Trained models in use: finding one, predicting, faces, video, export."""
