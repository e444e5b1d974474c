public import IPC

/// A local forward of a master: the master listens on 127.0.0.1, and the host connects to the target.
public struct MuxForward: Equatable, Sendable {
    /// The port on 127.0.0.1 where the master listens.
    public let listenPort: UInt16
    /// Where it leads.
    public let target: ForwardTarget

    /// A forward; nil if the port is 0 or the target is none that can be.
    public init?(listenPort: UInt16, target: ForwardTarget) {
        guard listenPort > 0, target.isPossible else { return nil }
        self.listenPort = listenPort
        self.target = target
    }

    /// Writes the fields of OPEN_FWD and CLOSE_FWD that follow the request id. A master closes only a forward that was
    /// opened with the same fields. The address is written out, so that the master listens there whatever
    /// `GatewayPorts` says.
    func write(to writer: inout MuxWriter) {
        writer.put(MuxProtocol.localForward)
        writer.put("127.0.0.1")
        writer.put(UInt32(listenPort))
        switch target {
        case .tcp(let host, let port):
            writer.put(host)
            writer.put(UInt32(port))
        case .unix(let path):
            writer.put(path)
            writer.put(MuxProtocol.socketPort)
        }
    }
}
