import Dispatch
import Synchronization

@testable import SFTP
@testable import SSH

/// An SFTP server in memory that says what a test wants it to say.
final class SFTPScriptedServer: SFTPPacketTransport {
    /// A request, cut into its parts.
    struct Request: Sendable {
        let type: UInt8
        let id: UInt32
        let body: [UInt8]

        /// The first string: a path, a handle, or the name of an extension.
        var string: [UInt8] {
            var reader = WireReader(body[...])
            return (try? reader.string()).map(Array.init) ?? []
        }
    }

    typealias Script = @Sendable (Request, SFTPScriptedServer) -> Void

    private let client: SFTPClient
    private let script: Script
    private let version: [UInt8]
    private let queue = DispatchQueue(label: "scripted server")
    private let state = Mutex((closed: false, requests: [Request]()))

    init(_ client: SFTPClient, version: [UInt8] = SFTPScriptedServer.version(3), _ script: @escaping Script) {
        self.client = client
        self.script = script
        self.version = version
    }

    func send(_ bytes: [UInt8]) {
        queue.async {
            guard bytes != SFTPRequest.initialize else { return self.say(self.version) }
            var reader = WireReader(bytes[4...])
            guard let type = try? reader.byte(), let id = try? reader.number32() else { return }
            let request = Request(type: type, id: id, body: Array(reader.remainder()))
            self.state.withLock { $0.requests.append(request) }
            self.script(request, self)
        }
    }

    func close() {
        queue.async {
            let was = self.state.withLock { state in
                defer { state.closed = true }
                return state.closed
            }
            if !was { self.client.transportEnded(SessionEnd(.exited(255), said: "closed by the client")) }
        }
    }

    /// Runs `body` in a moment, between two requests.
    func later(_ body: @escaping @Sendable () -> Void) {
        queue.asyncAfter(deadline: .now() + .milliseconds(20), execute: body)
    }

    /// Sends bytes as they are.
    func say(_ bytes: [UInt8]) { client.receive(bytes[...]) }

    var isClosed: Bool { state.withLock { $0.closed } }
    var requests: [Request] { state.withLock { $0.requests } }

    // MARK: Packets

    static func packet(_ type: UInt8, _ fill: (inout WireWriter) -> Void) -> [UInt8] {
        var writer = WireWriter()
        writer.byte(type)
        fill(&writer)
        return writer.packet()
    }

    static func version(_ number: UInt32, _ extensions: [String] = []) -> [UInt8] {
        packet(2) { writer in
            writer.number(number)
            for name in extensions {
                writer.string(name.utf8)
                writer.string("1".utf8)
            }
        }
    }

    static func status(_ id: UInt32, _ code: UInt32, _ message: String = "said so") -> [UInt8] {
        packet(101) { writer in
            writer.number(id)
            writer.number(code)
            writer.string(message.utf8)
            writer.string([])
        }
    }

    static func handle(_ id: UInt32, _ handle: [UInt8]) -> [UInt8] {
        packet(102) { writer in
            writer.number(id)
            writer.string(handle)
        }
    }

    static func data(_ id: UInt32, _ data: [UInt8]) -> [UInt8] {
        packet(103) { writer in
            writer.number(id)
            writer.string(data)
        }
    }

    static func names(_ id: UInt32, _ names: [SFTPName], longName: [UInt8] = []) -> [UInt8] {
        packet(104) { writer in
            writer.number(id)
            writer.number(UInt32(names.count))
            for name in names {
                writer.string(name.name)
                writer.string(longName)
                name.attributes.encode(into: &writer)
            }
        }
    }

    static func attributes(_ id: UInt32, _ attributes: SFTPAttributes) -> [UInt8] {
        packet(105) { writer in
            writer.number(id)
            attributes.encode(into: &writer)
        }
    }

    /// An honest server with one regular file of this content and one directory, `open` of either gives a handle.
    static func honest(_ content: [UInt8]) -> Script {
        { request, server in
            var reader = WireReader(request.body[...])
            switch request.type {
            case 7, 8, 17:
                server.say(attributes(request.id, SFTPAttributes(size: UInt64(content.count), permissions: 0o100644)))
            case 3, 11: server.say(handle(request.id, [1]))
            case 5:
                guard (try? reader.string()) != nil, let offset = try? reader.number64(),
                    let length = try? reader.number32()
                else { return }
                let bytes = content.dropFirst(Int(clamping: offset)).prefix(Int(length))
                server.say(bytes.isEmpty ? status(request.id, 1) : data(request.id, Array(bytes)))
            case 12: server.say(status(request.id, 1))
            case 16: server.say(names(request.id, [SFTPName(name: request.string, attributes: SFTPAttributes())]))
            default: server.say(status(request.id, 0))
            }
        }
    }

    /// Files on a server that follows the script. Opening has time enough on a busy machine, whatever the deadline is.
    static func files(
        version: [UInt8] = version(3), deadline: Duration = .seconds(10), opening: Duration = .seconds(30),
        idle: Duration = .seconds(300),
        _ script: @escaping Script
    ) -> RemoteFiles {
        RemoteFiles(
            channel: SFTPChannel(deadline: deadline, opening: opening, idle: idle) { client in
                SFTPScriptedServer(client, version: version, script)
            })
    }
}
