internal import FoundationEssentials
internal import IPC
internal import JSON
internal import MCP
internal import SFTP

/// `ssh_read_file`: a remote file, or a part of it.
enum ReadFileTool: Tool {
    static let name = "ssh_read_file"

    static let needs: [Capability] = [.fileRead]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Read a file",
            description:
                "Reads a remote file or a part of it: from a byte offset, from a line, or the last lines. What is not "
                + "UTF-8 comes as base64, a few such bytes in a text as U+FFFD (\"lossy\"). Large files come in parts: go on at "
                + "\"next_offset\".",
            inputSchema: Schema.object(
                [
                    "path": Schema.string("Absolute or ~/"), "path_base64": Schema.string(), "host": Schema.host(),
                    "offset": Schema.integer(from: 0),
                    "max_bytes": Schema.integer("Default and most: \(policy.limits.maxReadBytes)", from: 1),
                    "tail_lines": Schema.integer(from: 1),
                    "start_line": Schema.integer("Counted from 1", from: 1),
                    "line_count": Schema.integer(from: 1),
                    "encoding": ["enum": ["utf-8", "base64"]],
                ]),
            outputSchema: Schema.result(
                [
                    "content": Schema.string(), "encoding": Schema.string(), "size": Schema.integer(),
                    "truncated": Schema.boolean(), "next_offset": Schema.integer(),
                    "beginning_truncated": Schema.boolean(),
                    InjectionWarning.key: Schema.string(),
                ]),
            readOnly: true, destructive: false, idempotent: true)
    }

    /// A part of a file, however it was asked for.
    private struct Part {
        var bytes: [UInt8]
        var offset: UInt64
        let size: UInt64
        /// More follows behind `bytes`.
        let hasMore: Bool
        /// The limit left out the beginning of the last lines, so `bytes` may begin within a character.
        var lacksBeginning = false
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(
                values, tool: name,
                known: [
                    "path", "path_base64", "host", "offset", "max_bytes", "tail_lines", "start_line", "line_count",
                    "encoding",
                ])
            let most = context.policy.limits.maxReadBytes
            let limit = min(most, try arguments.integer("max_bytes", in: 1...Int.max, unit: "bytes") ?? most)
            let offset = try arguments.integer("offset", in: 0...Int.max, unit: "bytes")
            let tail = try arguments.integer("tail_lines", in: 1...Int.max, unit: "lines")
            let start = try arguments.integer("start_line", in: 1...Int.max, unit: "lines")
            let count = try arguments.integer("line_count", in: 1...Int.max, unit: "lines")
            let encoding = try arguments.choice("encoding", of: ["utf-8", "base64"])
            let ways = [offset != nil, tail != nil, start != nil || count != nil].count { $0 }
            guard ways <= 1 else {
                throw Arguments.Mistake(
                    sentence: "\(name): pass only one of \"offset\", \"tail_lines\" and \"start_line\"/\"line_count\".")
            }
            let call = try await FileCall(arguments, context, needs: .fileRead)
            let part = try await call.sftp { () async throws(SFTPError) -> Part in
                if let tail {
                    let lines = try await call.files.tailLines(call.path, count: tail, limit: limit)
                    return Part(
                        bytes: lines.bytes, offset: lines.offset, size: lines.size, hasMore: !lines.reachedEnd,
                        lacksBeginning: lines.isCut)
                }
                if start != nil || count != nil {
                    let lines = try await call.files.lines(
                        call.path, from: start ?? 1, count: count ?? .max, limit: limit)
                    return Part(
                        bytes: lines.bytes, offset: lines.offset, size: lines.size, hasMore: !lines.reachedEnd)
                }
                let read = try await call.files.read(call.path, .offset(UInt64(offset ?? 0), limit))
                return Part(
                    bytes: read.bytes, offset: read.offset, size: read.size, hasMore: !read.reachedEnd)
            }
            context.notes.received(part.bytes.count)
            return try await LongText.compute(on: part.bytes.count) { shape(part, asBase64: encoding == "base64") }
        }
    }

    private static func shape(_ part: Part, asBase64: Bool) -> JSONObject {
        var part = part
        let exact = asBase64 ? nil : text(&part)
        let text = exact ?? (asBase64 ? nil : lossyText(&part))
        var result: JSONObject = [
            "content": .string(text ?? Data(part.bytes).base64EncodedString()),
            "encoding": text == nil ? "base64" : "utf-8", "size": .integer(Int64(clamping: part.size)),
            "offset": .integer(Int64(clamping: part.offset)), "truncated": .bool(part.hasMore),
        ]
        if text != nil, exact == nil { result["lossy"] = true }
        if part.hasMore { result["next_offset"] = .integer(Int64(clamping: part.offset + UInt64(part.bytes.count))) }
        if part.lacksBeginning { result["beginning_truncated"] = true }
        return result
    }

    /// The bytes as text; a character that the limit cuts in two is left to the next part.
    private static func text(_ part: inout Part) -> String? {
        if let whole = String(validating: part.bytes, as: UTF8.self) { return whole }
        let leading = part.lacksBeginning ? part.bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count : 0
        for trailing in 0...(part.hasMore ? 3 : 0) where leading + trailing < part.bytes.count {
            let kept = part.bytes.dropFirst(leading).dropLast(trailing)
            guard let text = String(validating: kept, as: UTF8.self) else { continue }
            part.bytes = Array(kept)
            part.offset += UInt64(leading)
            return text
        }
        return nil
    }

    /// The same with U+FFFD in the place of what is not UTF-8; nil if that is too much for a text.
    private static func lossyText(_ part: inout Part) -> String? {
        let leading = part.lacksBeginning ? part.bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count : 0
        let trailing = part.hasMore ? LossyText.partialEnd(part.bytes) : 0
        guard leading + trailing < part.bytes.count else { return nil }
        let kept = part.bytes.dropFirst(leading).dropLast(trailing)
        guard let text = LossyText.of(kept) else { return nil }
        part.bytes = Array(kept)
        part.offset += UInt64(leading)
        return text
    }
}
