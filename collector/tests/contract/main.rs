//! Contract tests: what must hold between the parts of the project. One module a contract.
