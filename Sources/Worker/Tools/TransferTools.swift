internal import Glibc
internal import IPC
internal import MCP
internal import SFTP

/// `ssh_upload_file`: copies a local file, which the supervisor opens, to a host.
enum UploadFileTool: Tool {
    static let name = "ssh_upload_file"

    static func isOn(_ policy: PolicySnapshot) -> Bool { policy.hosts.contains(where: \.capabilities.fileWrite) }

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Upload a file",
            description:
                "Copies a file of this machine to a remote host, whole or not at all. Credentials and start-up files "
                + "of the user are refused"
                + (policy.allowOverwrite ? "." : ", and so is a remote file that exists: overwriting is switched off."),
            inputSchema: Schema.object(
                [
                    "local_path": Schema.string("Absolute path on this machine"),
                    "remote_path": Schema.string("Absolute path on the host"), "host": Schema.host(),
                ], required: ["local_path", "remote_path"]),
            outputSchema: Schema.result(
                [
                    "uploaded": Schema.boolean(), "remote_path": Schema.string(), "size": Schema.integer(),
                    "method": Schema.string("created, replaced or in_place"),
                ]),
            readOnly: false, destructive: true, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(values, tool: name, known: ["local_path", "remote_path", "host"])
            let local = try arguments.requiredString("local_path")
            let call = try FileCall(arguments, context, needs: .write, path: "remote_path")
            guard case .opened(let file, let size) = try await context.ask(.openLocal(path: local)) else {
                throw FileFailure(sentence: "The local file \(local) could not be opened.")
            }
            let options = WriteOptions(policy: context.policy.allowOverwrite ? .replace : .createOnly)
            let written = try await call.sftp { () async throws(SFTPError) in
                try await call.files.upload(to: call.path, options) { offset, most async throws(SFTPError) in
                    let bytes = try LocalTransfer.read(file, at: offset, most)
                    context.notes.sent(bytes.count)
                    return bytes
                }
            }
            guard written.size == size else {
                throw FileFailure(
                    sentence:
                        "The local file \(local) changed its size during the upload, from \(size) to \(written.size) bytes. "
                        + "Upload it again when nothing writes to it.")
            }
            var result: JSONObject = ["uploaded": true, "remote_path": .string(call.text)]
            WriteFileTool.describe(written, in: &result)
            return result
        }
    }
}

/// `ssh_download_file`: copies a file of a host into a local file, which the supervisor makes.
enum DownloadFileTool: Tool {
    static let name = "ssh_download_file"

    static func isOn(_ policy: PolicySnapshot) -> Bool { policy.hosts.contains(where: \.capabilities.fileWrite) }

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Download a file",
            description: "Copies a file of a remote host to this machine, whole or not at all, with mode 0600. "
                + (policy.allowOverwrite
                    ? "A local file that exists is replaced."
                    : "A local file that exists is refused: overwriting is switched off."),
            inputSchema: Schema.object(
                [
                    "remote_path": Schema.string("Absolute path on the host"),
                    "local_path": Schema.string("Absolute path on this machine"), "host": Schema.host(),
                ], required: ["remote_path", "local_path"]),
            outputSchema: Schema.result(
                ["downloaded": Schema.boolean(), "local_path": Schema.string(), "size": Schema.integer()]),
            readOnly: false, destructive: true, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result { try await download(values, context) }
    }

    private static func download(_ values: JSONObject, _ context: ToolContext) async throws -> JSONObject {
        let arguments = try Arguments(values, tool: name, known: ["local_path", "remote_path", "host"])
        let local = try arguments.requiredString("local_path")
        let call = try FileCall(arguments, context, needs: .write, path: "remote_path")
        guard case .created(let file, let handle) = try await context.ask(.createLocal(path: local)) else {
            throw FileFailure(sentence: "The local file \(local) could not be made.")
        }
        switch await fetch(call, into: file, local, context.notes) {
        case .failure(let failure):
            context.broker.abandon(handle: handle)
            throw failure
        case .success(let size):
            _ = try await context.ask(.commitLocal(handle: handle))
            return ["downloaded": true, "local_path": .string(local), "size": .integer(Int64(clamping: size))]
        }
    }

    /// Reads the remote file into the local one, down to the disk.
    private static func fetch(
        _ call: FileCall, into file: SharedFD, _ local: String, _ notes: CallNotes
    ) async -> Result<UInt64, FileFailure> {
        let target = LocalTransfer.Sink(file)
        let size: UInt64
        do throws(SFTPError) {
            size = try await call.files.download(call.path) { bytes async throws(SFTPError) in
                notes.received(bytes.count)
                try await target.take(bytes)
            }.size
        } catch {
            return .failure(FileFailure(error, call.host, path: call.text))
        }
        guard fsync(file.rawValue) == 0 else {
            let why = String(cString: strerror(errno))
            return .failure(FileFailure(sentence: "The local file \(local) could not be written: \(why)."))
        }
        return .success(size)
    }
}

/// The local side of a transfer: descriptors from the supervisor.
enum LocalTransfer {
    static func read(_ file: SharedFD, at offset: UInt64, _ most: Int) throws(SFTPError) -> ArraySlice<UInt8> {
        var bytes = [UInt8](repeating: 0, count: most)
        var count = 0
        while count < most {
            let read = bytes.withUnsafeMutableBytes {
                pread(file.rawValue, $0.baseAddress.map { $0 + count }, most - count, off_t(clamping: offset) + count)
            }
            if read < 0 && errno == EINTR { continue }
            guard read >= 0 else { throw .local(detail: String(cString: strerror(errno))) }
            if read == 0 { break }
            count += read
        }
        return bytes[..<count]
    }

    /// Writes what comes, in order.
    struct Sink: Sendable {
        private let file: SharedFD

        init(_ file: SharedFD) {
            self.file = file
        }

        @Sendable func take(_ bytes: ArraySlice<UInt8>) async throws(SFTPError) { try write(bytes) }

        private func write(_ bytes: ArraySlice<UInt8>) throws(SFTPError) {
            var rest = bytes
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw .local(detail: String(cString: strerror(errno))) }
                rest = rest.dropFirst(count)
            }
        }
    }
}
