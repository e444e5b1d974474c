/// What the gate asks of a master. A connection takes one session, or any number of controls one after the other.
public enum MasterRequest: Equatable, Sendable {
    /// A request that the master answers by itself, at once.
    case control(ControlRequest)
    /// A session, which the host must open. Its descriptors are sent with it.
    case session(MuxSession)
}
