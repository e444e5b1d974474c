public import JSON
public import MCP

/// Tools whose calls wait until the client has the place. Everything else is answered at once.
public struct PlacedTools<Tools: ToolSet>: ToolSet {
    private let base: Tools
    private let place: Place

    /// The tools of `base`.
    public init(_ base: Tools, in place: Place) {
        self.base = base
        self.place = place
    }

    /// See `ToolSet`.
    public var instructions: String { base.instructions }

    /// See `ToolSet`.
    public var tools: [ToolDescription] { base.tools }

    /// See `ToolSet`.
    public func whyOff(_ name: String) -> String? { base.whyOff(name) }

    /// See `ToolSet`.
    public func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        switch await place.enter(progress) {
        case .given: await base.call(name, arguments: arguments, progress: progress)
        case .refused(let sentence): .failure(sentence)
        case .cancelled: .failure("The call had not begun.")
        }
    }
}
