"""The top floor: the doors of the service, and the wiring behind them."""
