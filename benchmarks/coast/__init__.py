"""The coast: linear waves on the shelf against nonlinear runs of GeoClaw."""
