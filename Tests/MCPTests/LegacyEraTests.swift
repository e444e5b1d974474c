import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("The eras that open with initialize")
struct LegacyEraTests {
    private static let revisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
    private let tools = FakeTools()

    private func opened(_ version: String) -> LegacyEra {
        var era = LegacyEra(serverInfo: ["name": "test", "version": "1"])
        _ = era.handle("initialize", ["protocolVersion": .string(version)], tools: tools)
        return era
    }

    private func answer(_ action: EraAction) -> JSONValue? {
        if case .answer(let result) = action { .object(result) } else { nil }
    }

    private func refusal(_ action: EraAction) -> Int64? {
        if case .refuse(let error) = action { error.code } else { nil }
    }

    @Test(arguments: revisions)
    func `initialize agrees on the client's revision`(version: String) throws {
        var era = LegacyEra(serverInfo: ["name": "test", "version": "1"])
        let params: JSONObject = [
            "protocolVersion": .string(version), "capabilities": [:], "clientInfo": ["name": "c", "version": "2"],
        ]
        let result = try #require(answer(era.handle("initialize", params, tools: tools)))
        #expect(result.names == ["capabilities", "instructions", "protocolVersion", "serverInfo"])
        #expect(result["protocolVersion"] == .string(version))
        #expect(result["capabilities"] == ["logging": [:], "tools": ["listChanged": true]])
        #expect(result["serverInfo"] == ["name": "test", "version": "1"])
        #expect(result["instructions"] == "Use them well.")
        #expect(era.revision?.rawValue == version)
    }

    @Test(arguments: ["2026-07-28", "1999-01-01", "", "2025-06-18 ", "latest"])
    func `an unknown revision is answered with our newest`(version: String) throws {
        var era = LegacyEra(serverInfo: [:])
        let result = try #require(answer(era.handle("initialize", ["protocolVersion": .string(version)], tools: tools)))
        #expect(result["protocolVersion"] == "2025-11-25")
    }

    @Test func `initialize without a version is refused, and may be tried again`() throws {
        var era = LegacyEra(serverInfo: [:])
        for params in [[:], ["protocolVersion": 5], ["protocolVersion": .null]] as [JSONObject] {
            #expect(refusal(era.handle("initialize", params, tools: tools)) == -32602)
        }
        #expect(answer(era.handle("initialize", ["protocolVersion": "2025-06-18"], tools: tools)) != nil)
    }

    @Test func `a second initialize is refused and changes nothing`() {
        var era = opened("2025-03-26")
        #expect(refusal(era.handle("initialize", ["protocolVersion": "2025-11-25"], tools: tools)) == -32600)
        #expect(era.revision == .march2025)
    }

    @Test func `before initialize only ping is answered`() {
        var era = LegacyEra(serverInfo: [:])
        #expect(answer(era.handle("ping", [:], tools: tools)) == [:])
        for method in ["tools/list", "tools/call", "resources/list", "nonsense"] {
            #expect(refusal(era.handle(method, ["name": "echo"], tools: tools)) == -32600)
        }
        #expect(era.revision == nil)
    }

    @Test(arguments: revisions)
    func `an unknown method is refused in every revision`(version: String) {
        var era = opened(version)
        for method in [
            "resources/list", "prompts/list", "Tools/list", "tools/", "", "subscriptions/listen",
            "notifications/cancelled",
        ] {
            #expect(refusal(era.handle(method, [:], tools: tools)) == -32601)
        }
        #expect(answer(era.handle("ping", ["_meta": [:]], tools: tools)) == [:])
    }

    @Test(arguments: [
        ("2024-11-05", ["description", "inputSchema", "name"]),
        ("2025-03-26", ["annotations", "description", "inputSchema", "name"]),
        ("2025-06-18", ["annotations", "description", "inputSchema", "name", "outputSchema", "title"]),
        ("2025-11-25", ["annotations", "description", "inputSchema", "name", "outputSchema", "title"]),
    ])
    func `tools/list says what the revision knows, and no more`(version: String, names: [String]) throws {
        var era = opened(version)
        let result = try #require(answer(era.handle("tools/list", [:], tools: tools)))
        #expect(result.names == ["tools"])
        #expect(result["tools"].elements.map { $0["name"] } == ["echo", "fail", "gone", "hold"], "in a stable order")
        for tool in result["tools"].elements {
            #expect(tool.names == names)
            if names.contains("annotations") {
                #expect(
                    tool["annotations"].names
                        == ["destructiveHint", "idempotentHint", "openWorldHint", "readOnlyHint"]
                        + (names.contains("title") ? [] : ["title"]))
                #expect(tool["annotations"]["readOnlyHint"] == .bool(tool["name"] == "echo"))
                #expect(tool["annotations"]["destructiveHint"] == .bool(tool["name"] == "fail"))
            }
        }
    }

    @Test func `a cursor was never given out`() {
        var era = opened("2025-11-25")
        #expect(refusal(era.handle("tools/list", ["cursor": "x"], tools: tools)) == -32602)
        #expect(answer(era.handle("tools/list", ["_meta": [:]], tools: tools)) != nil)
    }

    @Test(arguments: [
        ("2024-11-05", ["content", "isError"]), ("2025-03-26", ["content", "isError"]),
        ("2025-06-18", ["content", "isError", "structuredContent"]),
        ("2025-11-25", ["content", "isError", "structuredContent"]),
    ])
    func `a result is text in every revision, and structured where the revision knows that`(
        version: String, names: [String]
    ) throws {
        let structured: JSONObject = ["b": "x\"y\n", "a": [1, .null]]
        // As it goes over the wire.
        let written = JSONWriter.bytes(
            of: .object(try #require(opened(version).revision).shape.result(.success(structured))))
        let shaped = try #require(JSONValue.parse(written))
        #expect(shaped.names.sorted() == names.sorted())
        #expect(shaped["isError"] == false)
        let content = shaped["content"].elements
        #expect(content.count == 1 && content.allSatisfy { $0.names == ["text", "type"] && $0["type"] == "text" })
        // The same JSON, members in the same order.
        #expect(content.first?["text"].string == #"{"b":"x\"y\n","a":[1,null]}"#)
        if names.contains("structuredContent") {
            #expect(shaped["structuredContent"]["b"] == "x\"y\n")
            #expect(shaped["structuredContent"]["a"].elements.count == 2)
        }
    }

    @Test(arguments: revisions)
    func `a failure is a result with a text, not an error of the protocol`(version: String) throws {
        let shape = try #require(opened(version).revision).shape
        let shaped = JSONValue.object(shape.result(.failure("Pass \"cwd\".")))
        #expect(shaped == ["content": [["type": "text", "text": "Pass \"cwd\"."]], "isError": true])
    }

    @Test
    func `tools/call wants a name and an object of arguments, and leaves it to the tools whether there is that tool`()
        throws
    {
        var era = opened("2025-11-25")
        for params in [[:], ["name": 5], ["name": .null]] as [JSONObject] {
            #expect(refusal(era.handle("tools/call", params, tools: tools)) == -32602)
        }
        for arguments in [.null, [], "x", 1, true] as [JSONValue] {
            #expect(
                refusal(era.handle("tools/call", ["name": "echo", "arguments": arguments], tools: tools)) == -32602)
        }
        let calls: [(JSONObject, JSONObject)] = [
            (["name": "nonsense"], [:]), (["name": "echo"], [:]), (["name": "echo", "arguments": ["a": 1]], ["a": 1]),
        ]
        for (params, arguments) in calls {
            guard case .call(let call) = era.handle("tools/call", params, tools: tools) else {
                Issue.record("a good call was not let through")
                return
            }
            #expect(params["name"] == .string(call.tool) && call.arguments == arguments && call.progressToken == nil)
        }
    }

    @Test func `logging/setLevel sets the level of later calls, and an unknown one is refused`() throws {
        var era = opened("2025-06-18")
        #expect(era.logLevel == nil)
        #expect(answer(era.handle("logging/setLevel", ["level": "warning"], tools: tools)) == [:])
        for params in [[:], ["level": 5], ["level": "loud"]] as [JSONObject] {
            #expect(refusal(era.handle("logging/setLevel", params, tools: tools)) == -32602)
        }
        guard case .call(let call) = era.handle("tools/call", ["name": "echo"], tools: tools) else {
            Issue.record("a good call was not let through")
            return
        }
        #expect(call.logLevel == .warning)
    }
}
