internal import IPC
internal import Policy
internal import SFTP

/// What every tool on remote files begins with: the host, its capability, a path that may be used there.
struct FileCall {
    /// Longest path in bytes, PATH_MAX less its NUL.
    private static let maximumPath = 4095

    let host: PolicySnapshot.Host
    let files: RemoteFiles
    let path: [UInt8]
    /// The path as it was asked for.
    let text: String

    /// - Throws: `Arguments.Mistake` or `GateRefusal`, in the order of judgement: arguments, host, policy.
    init(
        _ arguments: Arguments, _ context: ToolContext, needs capability: Capability, path name: String = "path"
    ) throws {
        text = try arguments.requiredString(name)
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw Arguments.Mistake(
                sentence: "Argument \"\(name)\" must be an absolute path, not \"\(text.prefix(200))\".")
        }
        guard text.utf8.count <= Self.maximumPath else {
            throw Arguments.Mistake(
                sentence:
                    "Argument \"\(name)\" is \(text.utf8.count) bytes long; paths have at most \(Self.maximumPath).")
        }
        host = try context.host(try arguments.string("host"))
        guard capability.isOn(host.capabilities), let access = context.access[host.name] else {
            throw GateRefusal(host: host.name, .capability(capability))
        }
        try BaseDirectory(host.baseDir, host: host.name).judge(path: text)
        files = RemoteFiles(channel: access.files, base: FileAccess(host).base.map { Array($0.utf8) })
        path = Array(text.utf8)
    }

    /// Calls SFTP, with this call's host in what it fails with.
    func sftp<Result>(_ body: () async throws(SFTPError) -> Result) async throws(FileFailure) -> Result {
        do throws(SFTPError) {
            return try await body()
        } catch {
            throw FileFailure(error, host, path: text)
        }
    }
}
