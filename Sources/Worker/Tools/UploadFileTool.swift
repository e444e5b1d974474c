internal import Glibc
internal import IPC
internal import JSON
internal import MCP
internal import SFTP

/// `ssh_upload_file`: copies a local file, which a file broker opens, to a host.
enum UploadFileTool: Tool {
    static let name = "ssh_upload_file"

    static let needs: [Capability] = [.fileWrite]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Upload a file",
            description:
                "Copies a file of this machine to a host, whole or not at all; paths are absolute. The user's credentials and start-up "
                + "files are refused"
                + (policy.allowOverwrite ? "." : ", and so is a remote file that exists: overwriting is switched off."),
            inputSchema: Schema.object(
                [
                    "local_path": Schema.string(),
                    "remote_path": Schema.string(), "remote_path_base64": Schema.string(), "host": Schema.host(),
                    "sha256": LocalTransfer.checksum, "mode": Schema.string(),
                    "create_dirs": Schema.boolean(),
                ], required: ["local_path"]),
            outputSchema: Schema.result(
                [
                    "uploaded": Schema.boolean(), "size": Schema.integer(),
                    "method": Schema.string(),
                ]),
            readOnly: false, destructive: true, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(values, tool: name, known: LocalTransfer.arguments + ["mode", "create_dirs"])
            let local = try LocalTransfer.path(arguments)
            let verifies = try arguments.boolean("sha256") ?? false
            let mode = try arguments.mode("mode")
            let createDirectories = try arguments.boolean("create_dirs") ?? false
            let call = try await FileCall(arguments, context, needs: .fileWrite, path: "remote_path")
            let place = try await LocalPlaces.uploads.take(for: call.host.name)
            defer { withExtendedLifetime(place) {} }
            guard case .opened(let file, let size) = try await context.ask(.open(path: local)) else {
                throw FileFailure(sentence: "The local file \(local) could not be opened.")
            }
            let source = try await LocalTransfer.Source(file, local, size: size)
            var options = WriteOptions(
                policy: context.policy.allowOverwrite ? .replace : .createOnly, mode: mode,
                createDirectories: createDirectories)
            options.permissions = source.permissions
            options.verifies = verifies
            options.progress = { done in
                // Bytes that are read back count as well.
                context.progress.report(Int64(clamping: done), total: LocalTransfer.work(size, verifies: verifies))
            }
            let written = try await call.sftp { [options] () async throws(SFTPError) in
                try await call.files.upload(to: call.path, options) { offset, most async throws(SFTPError) in
                    let bytes = try await source.read(offset, most)
                    context.notes.sent(bytes.count)
                    return bytes
                }
            }
            var result: JSONObject = ["uploaded": true]
            call.name(in: &result, as: "remote_path")
            WriteFileTool.describe(written, in: &result)
            if let sha256 = written.sha256 { result["sha256"] = .string(sha256) }
            return result
        }
    }
}
