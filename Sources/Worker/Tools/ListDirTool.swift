internal import FoundationEssentials
internal import IPC
internal import JSON
internal import MCP
internal import SFTP

/// `ssh_list_dir`: the entries of a remote directory, in pages.
enum ListDirTool: Tool {
    static let name = "ssh_list_dir"

    private static let defaultLimit = 1000
    private static let maximumLimit = 10_000

    static let needs: [Capability] = [.fileRead]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "List a directory",
            description:
                "Lists a remote directory in the order of names. Large ones come in pages: pass \"next_cursor\" as "
                + "\"cursor\" for the next.",
            inputSchema: Schema.object(
                [
                    "path": Schema.string("Absolute or ~/"), "path_base64": Schema.string(), "host": Schema.host(),
                    "limit": Schema.integer(
                        "Default \(defaultLimit), at most \(maximumLimit)", from: 1),
                    "cursor": Schema.string(),
                ]),
            outputSchema: Schema.result(
                [
                    "entries": [
                        "type": "array",
                        "items": .object(
                            Schema.result(
                                [
                                    "name": Schema.string(), "type": Schema.string(), "size": Schema.integer(),
                                    "mtime": Schema.string(),
                                ])),
                    ],
                    "total": Schema.integer(), "next_cursor": Schema.string(),
                    InjectionWarning.key: Schema.string(),
                ]),
            readOnly: true, destructive: false, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(
                values, tool: name, known: ["path", "path_base64", "host", "limit", "cursor"])
            let limit = try arguments.integer("limit", in: 1...maximumLimit, unit: "entries") ?? defaultLimit
            var after: [UInt8]?
            if let cursor = try arguments.string("cursor") {
                guard let bytes = Data(base64Encoded: cursor) else {
                    throw Arguments.Mistake(
                        sentence: "\(name): argument \"cursor\" must be a \"next_cursor\" of this tool.")
                }
                after = Array(bytes)
            }
            let call = try await FileCall(arguments, context, needs: .fileRead)
            let page = try await call.sftp { () async throws(SFTPError) in
                try await call.files.list(call.path, after: after, limit: limit)
            }
            context.notes.received(page.entries.reduce(0) { $0 + $1.name.count })
            // An entry, with its time as text, costs as much as some hundred bytes of other texts.
            let entries = try await LongText.compute(on: page.entries.count * 500) {
                page.entries.map { shape($0, in: call.path) }
            }
            var result: JSONObject = [
                "entries": .array(entries), "total": .integer(Int64(page.total)),
            ]
            if page.hasMore, let last = page.entries.last {
                result["next_cursor"] = .string(Data(last.name).base64EncodedString())
            }
            return result
        }
    }

    private static func shape(_ entry: RemoteEntry, in directory: [UInt8]) -> JSONValue {
        let attributes = entry.attributes
        let modified = Date(timeIntervalSince1970: Double(attributes.times?.modification ?? 0))
        var shaped: JSONObject = [
            "name": .string(String(decoding: entry.name, as: UTF8.self)), "type": .string(type(attributes.type)),
            "size": .integer(Int64(clamping: attributes.size ?? 0)),
            "permissions": .string(permissions(attributes)), "mtime": .string(modified.formatted(.iso8601)),
        ]
        if let target = entry.target { shaped["target"] = .string(String(decoding: target, as: UTF8.self)) }
        if String(validating: entry.name, as: UTF8.self) == nil {
            shaped["name_base64"] = .string(Data(entry.name).base64EncodedString())
            let separator = directory.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
            shaped["path_base64"] = .string(Data(directory + separator + entry.name).base64EncodedString())
        }
        return .object(shaped)
    }

    private static func type(_ type: FileType) -> String {
        switch type {
        case .regular: "file"
        case .directory: "dir"
        case .symlink: "symlink"
        case .fifo, .socket, .characterDevice, .blockDevice, .unknown: "other"
        }
    }

    /// As ls(1) shows them.
    private static func permissions(_ attributes: SFTPAttributes) -> String {
        let letter: Character =
            switch attributes.type {
            case .regular: "-"
            case .directory: "d"
            case .symlink: "l"
            case .fifo: "p"
            case .socket: "s"
            case .characterDevice: "c"
            case .blockDevice: "b"
            case .unknown: "?"
            }
        let bits = attributes.permissions ?? 0
        var text = String(letter)
        for (shift, special, mark) in [(6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")]
            as [(UInt32, UInt32, String)]
        {
            text += bits >> shift & 4 != 0 ? "r" : "-"
            text += bits >> shift & 2 != 0 ? "w" : "-"
            let executable = bits >> shift & 1 != 0
            text += bits & special != 0 ? (executable ? mark : mark.uppercased()) : (executable ? "x" : "-")
        }
        return text
    }
}
