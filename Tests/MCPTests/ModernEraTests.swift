import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("The stateless era, 2026-07-28")
struct ModernEraTests {
    private static let versionKey = "io.modelcontextprotocol/protocolVersion"
    private static let capabilitiesKey = "io.modelcontextprotocol/clientCapabilities"
    private static let levelKey = "io.modelcontextprotocol/logLevel"
    private let tools = FakeTools()
    private let era = ModernEra(serverInfo: ["name": "test", "version": "1"])

    private func meta(_ changes: JSONObject = [:]) -> JSONObject {
        var meta: JSONObject = [:]
        meta[Self.versionKey] = "2026-07-28"
        meta[Self.capabilitiesKey] = [:]
        for member in changes.members { meta[member.name] = member.value == .null ? nil : member.value }
        return ["_meta": .object(meta)]
    }

    private func refusal(_ params: JSONObject, _ method: String = "tools/list") -> RPCError? {
        do throws(RPCError) {
            _ = try era.era(method, params)
            return nil
        } catch {
            return error
        }
    }

    private func answer(_ method: String, _ params: JSONObject = [:]) -> JSONValue? {
        if case .answer(let result) = era.handle(method, params, logLevel: nil, tools: tools) {
            .object(result)
        } else {
            nil
        }
    }

    private func code(_ method: String, _ params: JSONObject = [:]) -> Int64? {
        if case .refuse(let error) = era.handle(method, params, logLevel: nil, tools: tools) { error.code } else { nil }
    }

    @Test func `a version in _meta makes a request modern, none leaves it legacy`() throws {
        #expect(try era.era("tools/list", meta()) == .modern(logLevel: nil))
        for params in [[:], ["_meta": [:]], ["_meta": ["progressToken": 1]], ["cursor": "x"]] as [JSONObject] {
            #expect(try era.era("tools/list", params) == .legacy)
        }
        #expect(try era.era("server/discover", [:]) == .modern(logLevel: nil), "older revisions have no such method")
        #expect(try era.era("initialize", meta()) == .modern(logLevel: nil))
    }

    @Test(arguments: ["2025-11-25", "2026-07-29", "1900-01-01", ""])
    func `another version is refused with those that there are`(version: String) throws {
        let error = try #require(refusal(meta([Self.versionKey: .string(version)])))
        #expect(error.code == -32022)
        #expect(error.data?["requested"] == .string(version))
        #expect(
            error.data?["supported"] == ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
        #expect(error.message.contains("initialize") == (version == "2025-11-25"))
        #expect(refusal(meta([Self.versionKey: .string(version)]), "server/discover")?.code == -32022)
    }

    @Test func `_meta of a wrong type, and what it lacks, are bad parameters`() {
        for wrong in [.null, [], "x", 1, true] as [JSONValue] { #expect(refusal(["_meta": wrong])?.code == -32602) }
        #expect(refusal(meta([Self.versionKey: 20_260_728]))?.code == -32602)
        // Only this revision has the member, so the version was forgotten.
        for method in ["tools/list", "server/discover"] {
            let unversioned = refusal(meta([Self.versionKey: .null]), method)
            #expect(unversioned?.code == -32602)
            #expect(unversioned?.message.contains(Self.versionKey) == true)
        }
        let missing = refusal(meta([Self.capabilitiesKey: .null]))
        #expect(missing?.code == -32602)
        #expect(missing?.message.contains(Self.capabilitiesKey) == true)
        for wrong in ["x", [], 1, true] as [JSONValue] {
            #expect(refusal(meta([Self.capabilitiesKey: wrong]))?.code == -32602)
        }
        // An unknown version is told before anything else is judged.
        #expect(refusal(meta([Self.versionKey: "2030-01-01", Self.capabilitiesKey: .null]))?.code == -32022)
    }

    @Test func `the log level is the request's own, and an unknown one is refused`() throws {
        #expect(try era.era("tools/call", meta([Self.levelKey: "debug"])) == .modern(logLevel: .debug))
        #expect(try era.era("tools/call", meta([Self.levelKey: "emergency"])) == .modern(logLevel: .emergency))
        for wrong in ["loud", "", 7, [:]] as [JSONValue] {
            #expect(refusal(meta([Self.levelKey: wrong]))?.code == -32602)
        }
        #expect(
            ClientLogLevel.allCases.sorted() == ClientLogLevel.allCases
                && ClientLogLevel.debug < ClientLogLevel.emergency)
    }

    @Test func `server/discover tells versions, capabilities and instructions`() throws {
        let result = try #require(answer("server/discover"))
        #expect(
            result.names == [
                "_meta", "cacheScope", "capabilities", "instructions", "resultType", "supportedVersions", "ttlMs",
            ])
        #expect(result["supportedVersions"].elements.first == "2026-07-28")
        #expect(result["supportedVersions"].elements.count == 5)
        #expect(result["capabilities"] == ["logging": [:], "tools": ["listChanged": true]])
        #expect(result["instructions"] == "Use them well.")
        #expect(result["resultType"] == "complete" && result["cacheScope"] == "private")
        #expect(result["_meta"]["io.modelcontextprotocol/serverInfo"] == ["name": "test", "version": "1"])
    }

    @Test func `tools/list is a cacheable result in a stable order`() throws {
        let result = try #require(answer("tools/list"))
        #expect(result.names == ["_meta", "cacheScope", "resultType", "tools", "ttlMs"])
        #expect(result["resultType"] == "complete" && result["cacheScope"] == "private")
        guard case .integer(let milliseconds) = result["ttlMs"] else {
            Issue.record("ttlMs is no integer")
            return
        }
        #expect(milliseconds >= 0)
        #expect(result["tools"].elements.map { $0["name"] } == ["echo", "fail", "gone", "hold"])
        #expect(
            result["tools"].elements.first?.names
                == ["annotations", "description", "inputSchema", "name", "outputSchema", "title"])
        #expect(result == answer("tools/list"))
        #expect(code("tools/list", ["cursor": "x"]) == -32602)
    }

    @Test func `results are marked complete and name the server`() {
        let shape = ResultShape.modern(era)
        let success = JSONValue.object(shape.result(.success(["a": 1])))
        #expect(success.names == ["_meta", "content", "isError", "resultType", "structuredContent"])
        #expect(success["structuredContent"] == ["a": 1] && success["resultType"] == "complete")
        let failure = JSONValue.object(shape.result(.failure("Pass \"cwd\".")))
        #expect(failure.names == ["_meta", "content", "isError", "resultType"])
        #expect(failure["isError"] == true)
        #expect(failure["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "test")
    }

    @Test(arguments: [
        "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "resources/list",
        "prompts/list", "notifications/initialized", "completion/complete", "nonsense", "",
    ])
    func `what this revision removed, and what is not served, are unknown methods`(method: String) {
        #expect(code(method, ["protocolVersion": "2025-11-25", "level": "debug"]) == -32601)
    }

    @Test func `tools/call is judged as in the other era`() {
        for params in [[:], ["name": 5], ["name": "echo", "arguments": []]] as [JSONObject] {
            #expect(code("tools/call", params) == -32602)
        }
    }

    @Test func `a filter names what is listened for`() {
        func listens(_ params: JSONObject) -> Bool? {
            guard case .listen(let wanted) = era.handle("subscriptions/listen", params, logLevel: nil, tools: tools)
            else { return nil }
            return wanted
        }
        #expect(listens(["notifications": ["toolsListChanged": true]]) == true)
        #expect(listens(["notifications": ["toolsListChanged": false]]) == false)
        #expect(listens(["notifications": ["promptsListChanged": true, "resourceSubscriptions": ["x"]]]) == false)
        for wrong in [
            [:], ["notifications": []], ["notifications": .null], ["notifications": ["toolsListChanged": 1]],
        ] as [JSONObject] {
            #expect(code("subscriptions/listen", wrong) == -32602)
        }
    }
}
