/// A request that a master answers by itself.
public enum ControlRequest: Equatable, Sendable {
    /// Asks whether the master lives.
    case alive
    /// Asks the master to listen and to forward. A master that already has this very forward says that it is opened.
    case openForward(MuxForward)
    /// Asks the master to stop listening. Connections that it has accepted live on.
    case closeForward(MuxForward)
}
