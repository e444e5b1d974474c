/// How sessions at hosts are opened, the config's `transport`. It decides what a worker may do.
public enum Transport: String, Codable, CaseIterable, Sendable {
    /// The gate speaks the ControlMaster's own protocol (OpenSSH's PROTOCOL.mux), and the worker executes nothing. The default.
    case mux
    /// The worker executes OpenSSH's `ssh` for each session, and nothing else.
    case ssh
}
