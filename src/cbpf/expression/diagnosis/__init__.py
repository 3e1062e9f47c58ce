"""The explanation of expressions that libpcap rejects: places, facts and the expressions to write instead."""
