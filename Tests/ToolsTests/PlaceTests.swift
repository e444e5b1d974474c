import JSON
import MCP
import Synchronization
import TestSupport
import Testing

@testable import Tools

/// Tools that only count.
private final class CountingTools: ToolSet {
    let instructions = "Count."
    let tools: [ToolDescription] = []
    let calls = Mutex<[String]>([])

    func whyOff(_ name: String) -> String? { "off" }

    func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        calls.withLock { $0.append(name) }
        return name == "missing" ? nil : .success(["name": .string(name)])
    }
}

@Suite("Calls that wait for the place", .timeLimit(.minutes(5)))
struct PlaceTests {
    /// A place, and the numbers of the calls of which it says that they have waited.
    private static func place(_ patience: Duration) -> (Place, asked: AsyncStream<UInt32>) {
        let (asked, continuation) = AsyncStream.makeStream(of: UInt32.self)
        return (Place(patience: patience) { continuation.yield($0) }, asked)
    }

    private static func text(_ result: ToolResult?) -> String {
        switch result {
        case .failure(let text): text
        case .success: "success"
        case .none: "nil"
        }
    }

    @Test func `none begins before the client has the place, and then all do, and later ones at once`() async {
        let (place, _) = Self.place(.seconds(600))
        let base = CountingTools()
        let tools = PlacedTools(base, in: place)
        #expect(tools.instructions == "Count." && tools.whyOff("x") == "off")
        async let first = tools.call("a", arguments: [:], progress: .none)
        async let second = tools.call("missing", arguments: [:], progress: .none)
        for _ in 0..<1000 { await Task.yield() }
        #expect(base.calls.withLock { $0.isEmpty })
        place.given()
        let results = await [Self.text(first), Self.text(second)]
        #expect(results == ["success", "nil"])
        #expect(Self.text(await tools.call("b", arguments: [:], progress: .none)) == "success")
        #expect(base.calls.withLock(\.count) == 3)
    }

    @Test func `one that has waited is refused alone, with the answer to its number`() async throws {
        let (place, asked) = Self.place(.zero)
        let base = CountingTools()
        let tools = PlacedTools(base, in: place)
        async let first = tools.call("a", arguments: [:], progress: .none)
        var numbers = asked.makeAsyncIterator()
        let number = try #require(await numbers.next())
        place.wait(atMost: .seconds(600))
        async let second = tools.call("b", arguments: [:], progress: .none)
        place.refused(number &+ 1000, "another")
        place.refused(number, "somebody is in the way")
        #expect(Self.text(await first) == "somebody is in the way")
        place.refused(number, "twice")
        place.given()
        #expect(Self.text(await second) == "success")
        #expect(base.calls.withLock { $0 } == ["b"])
    }

    @Test func `each is asked about, also where none may wait`() async {
        let (place, asked) = Self.place(.zero)
        let tools = PlacedTools(CountingTools(), in: place)
        var numbers = asked.makeAsyncIterator()
        for round in 0..<500 {
            async let call = tools.call("a", arguments: [:], progress: .none)
            if let number = await numbers.next() { place.refused(number, "\(round)") }
            #expect(Self.text(await call) == "\(round)")
        }
    }

    @Test func `the place that comes while one is being refused is used`() async throws {
        let (place, asked) = Self.place(.zero)
        let tools = PlacedTools(CountingTools(), in: place)
        async let call = tools.call("a", arguments: [:], progress: .none)
        var numbers = asked.makeAsyncIterator()
        let number = try #require(await numbers.next())
        place.given()
        place.refused(number, "too late")
        #expect(Self.text(await call) == "success")
    }

    @Test func `one that is cancelled ends, whenever that comes, and is not asked about`() async {
        for round in 0..<50 {
            let (place, _) = Self.place(.seconds(600))
            let base = CountingTools()
            let tools = PlacedTools(base, in: place)
            let call = Task { await tools.call("a", arguments: [:], progress: .none) }
            for _ in 0..<round { await Task.yield() }
            call.cancel()
            #expect(Self.text(await call.value) == "The call had not begun.")
            place.given()
            #expect(base.calls.withLock { $0.isEmpty })
        }
    }
}
