internal import IPC

/// A local forward of a master: the master listens on 127.0.0.1, and the host connects to the target.
public struct MuxForward: Equatable, Sendable {
    /// Where a forward leads, seen from the host.
    public enum Target: Equatable, Sendable {
        /// A host name or address, IPv6 without brackets, and a port.
        case tcp(host: String, port: UInt16)
        /// The absolute path of a Unix socket.
        case socket(path: String)
    }

    /// Bytes of the longest path of a Unix socket, unix(7).
    public static let maximumPath = 107

    /// The port on 127.0.0.1 where the master listens.
    public let listenPort: UInt16
    /// Where it leads.
    public let target: Target

    /// A forward; nil if a port is 0, the host is none (`ForwardRule.isHost`), or the path is not absolute, is too long
    /// or contains a zero byte.
    public init?(listenPort: UInt16, target: Target) {
        guard listenPort > 0 else { return nil }
        switch target {
        case .tcp(let host, let port):
            guard port > 0, ForwardRule.isHost(host) else { return nil }
        case .socket(let path):
            let bytes = path.utf8
            guard bytes.first == UInt8(ascii: "/"), bytes.count <= Self.maximumPath, !bytes.contains(0) else {
                return nil
            }
        }
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
        case .socket(let path):
            writer.put(path)
            writer.put(MuxProtocol.socketPort)
        }
    }
}
