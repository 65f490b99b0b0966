"""Model servers over gRPC: the only part of the gateway that knows gRPC."""
