@testable import Gate

extension MasterRequests {
    /// What follows where the supervisor writes every refusal down at once.
    mutating func noting(_ actions: [Action]?) -> [Action] {
        (actions ?? []).flatMap { action in
            guard case .refuse(let id, _, _) = action else { return [action] }
            return noted(id) ?? []
        }
    }
}
