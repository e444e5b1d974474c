import Testing

@testable import SFTP

/// What is told of the cause where a server has only its general codes.
@Suite("Causes of refusals", .timeLimit(.minutes(5)))
struct RemoteDiagnosisTests {
    private typealias Server = SFTPScriptedServer

    private static let path = Array("/srv/f".utf8)
    private static let failure = SFTPError.refused(.failure, call: "OPEN", path: path, message: "Failure")

    /// A file system as statvfs@openssh.com tells it: free blocks, flags, and bytes of the longest name.
    private static func files(free: UInt64, flags: UInt64, longest: UInt64) -> RemoteFiles {
        let version = Server.version(3, ["statvfs@openssh.com"])
        return Server.files(version: version, deadline: .seconds(30)) { request, server in
            guard request.type == 200, request.string == Array("statvfs@openssh.com".utf8) else {
                return server.say(Server.status(request.id, 4, "Failure"))
            }
            server.say(
                Server.packet(201) { writer in
                    writer.number(request.id)
                    for value in [4096, 4096, 100, free, free, 100, 50, 50, 1, flags, longest] as [UInt64] {
                        writer.number(value)
                    }
                })
        }
    }

    @Test func `a file system tells that it is read-only, or full, or that a name is too long`() async {
        func told(_ free: UInt64, _ flags: UInt64, _ longest: UInt64, writes: Bool = true) async -> SFTPError {
            await Self.files(free: free, flags: flags, longest: longest).explained(
                Self.failure, Self.path, writes: writes)
        }
        #expect(await told(10, 1, 255) == .readOnly(path: Self.path))
        #expect(await told(10, 2, 255) == Self.failure, "ST_NOSUID alone")
        #expect(await told(0, 0, 255) == .noSpace(path: Self.path))
        #expect(await told(10, 0, 2) == .nameTooLong(path: Self.path, bytes: 3, most: 2))
        #expect(await told(10, 0, 255) == Self.failure)
        // What only reads does not fail for these.
        #expect(await told(0, 1, 255, writes: false) == Self.failure)
    }

    @Test(arguments: [
        ("cannot create /x: Read-only file system", SFTPError.readOnly(path: path)),
        ("write error: No space left on device", .noSpace(path: path)),
        ("write error: Disk quota exceeded", .quota(path: path)),
        ("File name too long", .nameTooLong(path: path, bytes: 3, most: nil)),
    ])
    func `words of the system tell it without a question`(message: String, cause: SFTPError) async {
        let files = Server.files(deadline: .seconds(30)) { _, _ in }
        let error = SFTPError.refused(.failure, call: "WRITE", path: Self.path, message: message)
        #expect(await files.explained(error, Self.path, writes: true) == cause)
    }
}
